# The proofs: differential test, permission permutations, refused
# allocations, fuzzing. All sanitized, all TAP but the fuzzers.
DIFF_SRC  := $(addprefix test/diff/,trace.c world.c oracle.c hw.c hw_nested.c \
               hw_root.c soft.c ops_memory.c ops_guest.c check.c gen.c run.c \
               shrink.c)
PROOF_BIN := $(addprefix $(O)/test/diff/,diff permute nth)

$(O)/test/diff/diff: $(DIFF_SRC:%.c=$(O)/san/%.o) $(O)/san/test/diff/diff.o
$(O)/test/diff/permute: $(addprefix $(O)/san/test/diff/,permute.o \
                          permute_bench.o predict.o trace.o)
$(O)/test/diff/nth: $(addprefix $(O)/san/test/diff/,nth.o nth_nested.o \
                      nth_root.o)
$(PROOF_BIN): $(O)/san/libtest.a
	@mkdir -p $(@D)
	$(CC) $(SAN) $(filter %.o,$^) $(filter %.a,$^) -o $@

diff: $(O)/test/diff/diff ## differential test, about a minute
	prove -v $<
permute: $(O)/test/diff/permute ## every permission permutation
	prove -v $<
nth: $(O)/test/diff/nth ## allocation refused at every n
	prove -v $<

# Fuzzing wants clang and a build of its own. FUZZ_SECONDS for each target,
# a fourth of it for the loaders, which are small; new inputs are kept in the
# build directory.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 20
FUZZ_SAN     := -fsanitize=fuzzer-no-link,address,undefined \
                -fno-sanitize-recover=all
FUZZ_BIN     := $(addprefix $(O)/test/fuzz/,fuzz_walk fuzz_calls fuzz_load \
                  fuzz_direct)
FUZZ_SRC     := $(LIB_SRC) $(LAB_SRC) $(DIFF_SRC) \
                $(wildcard hv/load/*.c) test/fuzz/fuzz.c test/fuzz/pack.c
FUZZ_OBJ     := $(FUZZ_SRC:%.c=$(O)/fuzz/%.o)

$(O)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) -std=c11 -D_GNU_SOURCE -O1 -g $(WARN) $(FUZZ_SAN) \
	 -Iinclude -Ilib -Ihv -I. -MMD -MP -c $< -o $@
$(FUZZ_BIN): $(O)/test/fuzz/%: $(O)/fuzz/test/fuzz/%.o $(FUZZ_OBJ)
	@mkdir -p $(@D)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined $^ -o $@
$(O)/test/fuzz/seeds: $(O)/san/test/fuzz/seeds.o $(O)/san/test/fuzz/pack.o \
                      $(O)/san/test/diff/gen.o $(O)/san/test/diff/trace.o
	@mkdir -p $(@D)
	$(CC) $(SAN) $^ -o $@

fuzz: $(FUZZ_BIN) $(O)/test/fuzz/seeds ## fuzz walker, calls, loaders; bounded
	@mkdir -p $(O)/test/fuzz/seed
	$(O)/test/fuzz/seeds $(O)/test/fuzz/seed
	for f in $(FUZZ_BIN); do mkdir -p $$f.corpus; echo "$$f:"; \
	 s=$(FUZZ_SECONDS); case $$f in *load) s=$$(((s + 3) / 4)) ;; esac; \
	 $$f -seed=1 -max_total_time=$$s -max_len=16384 -verbosity=0 \
	  -print_final_stats=1 -artifact_prefix=$$f- \
	  $$f.corpus $(O)/test/fuzz/seed >$$f.log 2>&1 || \
	 { cat $$f.log; exit 1; }; grep 'executed\|added' $$f.log; done
.PHONY: diff permute nth fuzz
-include $(shell find $(O)/fuzz -name '*.d' 2>/dev/null)
