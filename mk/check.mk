# Everything that is tested. Other fragments append their own:
#   CHECK_TAP  programs that speak TAP     CHECK_MAKE  targets that must succeed
CHECK_TAP  += $(UNIT_BIN) $(PROOF_BIN)
CHECK_MAKE += format-check fuzz

# The boots: slow ones first, so that the two jobs end together.
BOOT_TESTS := $(wildcard test/boot/*.t)
CHECK_TAP  += $(BOOT_TESTS)
export BUILD := $(O)

# Named in recipes alone: the other fragments are read after this one.
check: ## all tests; the last line counts them
	@$(MAKE) --no-print-directory deps-check
	@$(MAKE) --no-print-directory -j2 all $(KERNEL) \
	 $(filter $(O)/%,$(CHECK_TAP))
	@tools/check.pl --jobs 2 $(CHECK_MAKE:%=--make %) $(CHECK_TAP)

VMX_TESTS := $(wildcard test/vmx/*.t)
check-vmx: all $(KERNEL) ## all guests on Bochs's Intel processor, one by one
	@$(MAKE) --no-print-directory deps-check
	@tools/check.pl --jobs 1 $(VMX_TESTS)
.PHONY: check-vmx

boot: all $(KERNEL) ## the boots of guests and the command's tests alone
	@tools/check.pl --jobs 2 $(BOOT_TESTS)

# Formatting of everything that git knows; of everything, without git.
FORMATTED = $(shell git ls-files '*.c' '*.h' 2>/dev/null || \
              find . -path './$(O)' -prune -o -name '*.[ch]' -print)
# Each version lays out some lines of its own way: one of them says.
FORMAT_BY := 14
format-check: ## is the code formatted as .clang-format says?
	@if clang-format --version | grep -q 'version $(FORMAT_BY)\.'; then \
	 clang-format --dry-run -Werror $(FORMATTED); \
	else \
	 echo "format-check: not made: it takes clang-format $(FORMAT_BY), and" \
	  "this is $$(clang-format --version)"; \
	fi
format:
	clang-format -i $(FORMATTED)

# make soak SOAK="vtlb shadow-256k" SOAK_BOOTS=5: some variants, of those that
# tools/soak.sh knows; none named: all.
SOAK_BOOTS ?= 20
SOAK       ?=
soak: all $(KERNEL) ## boot the stock kernel 20 times in each soak variant
	@tools/soak.sh $(O) $(KERNEL) $(SOAK_BOOTS) $(SOAK)

clean: ## remove what was built, but not the downloaded kernel
	@[ ! -d $(O) ] || find $(O) -mindepth 1 -maxdepth 1 ! -name kernel \
	 -exec rm -rf {} +
.PHONY: check boot format-check format soak clean
