# What is not in the tree: Debian's packages, and a stock kernel.
KERNEL ?= $(O)/kernel/vmlinuz
export KERNEL

deps: ## install what building and the demo need (Debian, as root)
	@tools/install-deps.sh demo
deps-check:
	@tools/install-deps.sh check
$(O)/kernel/vmlinuz:
	@tools/fetch-kernel.sh $(@D)
.PHONY: deps deps-check
