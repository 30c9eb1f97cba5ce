# The schemes that guests can be booted under, in this one place; shadow-pv is
# shadow for a paravirtual guest.
SCHEMES := none nested vtlb shadow shadow-pv direct

demo: ## install, build, boot a stock kernel under each scheme, compare
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all $(KERNEL)
	@tools/demo.sh $(O) $(KERNEL) $(SCHEMES)
	@command -v bochs >/dev/null || exit 0; \
	 echo; MACHINE=bochs tools/demo.sh $(O) $(KERNEL) $(SCHEMES)
.PHONY: demo

bench-guest: all $(KERNEL) ## what virtualization costs a guest
	@tools/bench-guest.sh $(O) $(KERNEL) $(filter-out none,$(SCHEMES))
bench-vmx: all $(KERNEL) ## the same of exits and faults on VMX, on Bochs
	@mkdir -p $(O)/bench/vmx
	@tools/bench-vmx.sh $(O) $(KERNEL)
bench-roots: all $(KERNEL) ## what shadow gains by keeping more roots
	@tools/bench-roots.sh $(O) $(KERNEL) shadow 1 2 4 8 16
	@tools/bench-roots.sh $(O) $(KERNEL) shadow-pv 1 2 4 8 16
# -k: what misses its limit does not hide the rest.
bench: ## measure, against what must be reached
	@$(MAKE) --no-print-directory deps-check
	@$(MAKE) --no-print-directory -k bench-lib bench-guest bench-roots
.PHONY: bench bench-guest bench-vmx bench-roots

# Where the instructions go: by function, for one operation of a row.
ROW    ?= touch
SCHEME ?= shadow
$(O)/tools/profile/count.so: tools/profile/count.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARN) -fPIC -shared $< -o $@
profile: all $(KERNEL) $(O)/tools/profile/count.so ## instructions by function
	@tools/profile/profile.py $(O) $(KERNEL) $(SCHEME) $(ROW)
.PHONY: profile
