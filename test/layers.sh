#!/bin/sh
# Includes point one way: audit -> scheme -> pt -> mem, in the library's code
# and in its headers; and its clients know <vmmu/...> only. Prints each include
# that breaks this, and fails. In the hypervisor, devices, decoder and loaders
# stand alone, and nothing but svm/ knows of SVM, nothing but vmx/ of VMX.
#
# layers.sh [ROOT]
cd "${1:-$(dirname "$0")/..}" || exit 2

# Every line that includes something, as "file: name".
includes()
{
	find "$@" -name '*.[chS]' -exec \
		grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]+' \
		{} + | sed -E 's/:[^<"]*[<"]/: /'
}

library()
{
	includes lib include/vmmu | awk -F ': ' '
	BEGIN {
		split("mem pt scheme audit", name, " ")
		for (i in name)
			rank[name[i]] = i
		split("access addr host slots gmem flat", header, " ")
		for (i in header)
			rank["vmmu/" header[i] ".h"] = 1
		split("format mode gwalk table", upper, " ")
		for (i in upper)
			rank["vmmu/" upper[i] ".h"] = 2
		rank["vmmu/scheme.h"] = rank["vmmu/vm.h"] = 3
		rank["vmmu/direct.h"] = 3
		rank["vmmu/audit.h"] = 4
		rank["vmmu/vmmu.h"] = 5
		split("stdbool stddef stdint string", std, " ")
		for (i in std)
			rank[std[i] ".h"] = 0
	}
	# Of a file of the library, or of what it includes; empty: unknown.
	function rank_of(path,    part)
	{
		sub(/^(lib|include)\//, "", path)
		if (path in rank)
			return rank[path]
		split(path, part, "/")
		return (part[1] in rank) ? rank[part[1]] : ""
	}
	{
		from = rank_of($1)
		to = rank_of($2)
		if (from == "")
			print $1 ": is in no layer that test/layers.sh knows"
		else if (to == "")
			print $1 ": includes " $2 ", which is not the library"
		else if (to > from)
			print $1 ": includes " $2 " from a layer above it"
	}'
}

# A client takes <vmmu/...> and its own files.
clients()
{
	for part in hv lab tools guest; do
		[ -d "$part" ] || continue
		includes "$part" | awk -F ': ' -v part="$part" '
		$2 ~ /^(lib|mem|pt|scheme|audit)\// ||
		$2 ~ /\.\.\/(lib|hv|lab|tools|guest)\// {
			print $1 ": includes " $2 ", which is not its own"
		}
		$2 ~ /^(hv|lab|tools|guest)\// && $2 !~ "^" part "/" &&
		!(part == "tools" && $2 ~ /^lab\//) {
			print $1 ": includes " $2 ", which is not its own"
		}'
	done
}

hypervisor()
{
	includes hv | awk -F ': ' '
	BEGIN {
		split("boot cpu dev insn load mm port pv svm vm vmx", name, " ")
		for (i in name)
			folder[name[i]] = 1
		alone["dev"] = alone["insn"] = alone["load"] = 1
	}
	{
		split($1, from, "/")
		split($2, to, "/")
		if (!(to[1] in folder) || to[1] == from[2])
			next
		if (from[2] in alone || to[1] ~ /^(pv|svm|vmx)$/)
			print $1 ": includes " $2 ", which is not its own"
	}'
}

found=$(library; clients; hypervisor)
if [ -n "$found" ]; then
	echo "$found" >&2
	exit 1
fi
echo "layers: $(includes lib include hv lab tools guest | wc -l) includes," \
	"none against the arrows"
