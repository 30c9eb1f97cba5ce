#!/usr/bin/env bash
# Processors with less than Skylake's VMX: what they offer is used, and what is
# missing is refused by name.
. "$(dirname "$0")/../boot/tap.sh"
. test/vmx/bochs.sh

on() {
	model=$1
	shift
	run "$@" --processor "$model"
}

# VMX of its first years: guests could not have a PAT of their own.
for scheme in nested vtlb; do
	on core2_penryn_t9600 $scheme hello ""
	ends 4 refused
	like "$label: sentence" "$sentence" \
		"the processor's VMX lacks loading of IA32_PAT at exits"
done

# EPT, but a guest has to page.
on corei5_lynnfield_750 nested hello ""
ends 4 refused
like "$label: sentence" "$sentence" \
	"VMX has no unrestricted guests, which a guest under mmu=nested needs"
for scheme in vtlb shadow; do
	on corei5_lynnfield_750 $scheme permute "levels=4 part=1"
	ends 1 exit 0
	like "$label: nothing is wrong" "$output" \
		'permute: 1[0-9]{5} cases, 0 wrong'
done

# EPT without A and D bits, and so without a log of writes; then with the bits.
for model in corei5_arrandale_m520 corei7_haswell_4770; do
	on $model nested permute "levels=4 part=1"
	ends 1 exit 0
	like "$label: nothing is wrong" "$output" \
		'permute: [0-9]{6} cases, 0 wrong'
done
printf '%s\n' 'expect ready' 'dirty on' 'sleep 300' 'dirty count' audit \
	stats quit >"$scratch/commands"
on corei5_arrandale_m520 nested moved "" --monitor "$scratch/commands"
is "$label: status" "$status" 12
like "$label: writes are seen by faults" "$sentence" '"pf_dirty":[1-9]'
like "$label: nothing is wrong" "$sentence" ", 0 breaches"

# No VMX at all.
on p4_prescott_celeron_336 nested hello ""
ends 4 refused
like "$label: sentence" "$sentence" "has neither AMD SVM nor Intel VMX"
vmmu run --machine bochs --processor no_such_processor \
	--kernel "$BUILD/guest/hello.elf"
is "an unknown processor: status" "$status" 4
like "an unknown processor: sentence" "$sentence" \
	"^vmmu: Bochs has no processor no_such_processor"

# SVM, as another than QEMU has it, by the same image. It loads no CR2 from the
# VMCB, and so no page fault can be injected.
on ryzen nested permute "levels=4 part=1"
ends 1 exit 0
is "$label: the engine" "$(stat .engine)" svm
like "$label: nothing is wrong" "$output" 'permute: [0-9]{6} cases, 0 wrong'
on ryzen nested task ""
ends 1 exit 0
for scheme in vtlb shadow; do
	on ryzen $scheme task ""
	ends 6 killed
	like "$label: sentence" "$sentence" "the guest switches tasks by hardware"
done
is "nothing is left behind" "$(ls "$scratch/tmp")" ""
finish
