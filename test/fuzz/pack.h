/*
 * Traces as bytes, for the fuzzer: the configuration, one byte a key, then
 * each operation's kind and its operands. Any bytes are some trace.
 */
#ifndef FUZZ_PACK_H
#define FUZZ_PACK_H

#include <stddef.h>

#include "test/diff/trace.h"

#define PACK_OPS_MAX 400

/* Appends to *t, which is empty, with a sane configuration. `walks_only`
 * leaves out what is not needed to walk. */
void unpack_trace(const uint8_t *data, size_t size, bool walks_only,
		  struct trace *t);

/* The opposite; returns the bytes used, at most `room`. */
size_t pack_trace(const struct trace *t, uint8_t *data, size_t room);

#endif
