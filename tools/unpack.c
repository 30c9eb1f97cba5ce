/*
 * Decompression of a kernel's payload.
 *
 * The magic at its start names the compressor (linux
 * Documentation/x86/boot.rst, payload_offset). Each unpacker turns one
 * stream into a buffer that starts small and doubles up to a bound, so that
 * a payload that unpacks to terabytes costs no more than the bound. The
 * libraries that stream share one loop shape: give output room, step, grow.
 */
#include "unpack.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

static const char damaged[] = "is damaged";
static const char too_large[] = "is larger than a kernel can be";
static const char no_memory[] = "does not fit into this machine's memory";

/* An output buffer that grows: size is what is filled, room what is there. */
struct sink {
	struct bytes bytes;
	size_t room;
	size_t max;
};

static const char *sink_grow(struct sink *sink)
{
	size_t room = sink->room ? sink->room * 2 : (size_t)16 << 20;
	uint8_t *data;

	if (sink->room >= sink->max)
		return too_large;
	if (room > sink->max)
		room = sink->max;
	data = realloc(sink->bytes.data, room);
	if (!data)
		return no_memory;
	sink->bytes.data = data;
	sink->room = room;
	return NULL;
}

static uint8_t *sink_at(const struct sink *sink)
{
	return sink->bytes.data + sink->bytes.size;
}

static size_t sink_left(const struct sink *sink)
{
	return sink->room - sink->bytes.size;
}

static const char *gunzip_run(z_stream *z, struct sink *sink)
{
	int rc = Z_OK;

	while (rc == Z_OK) {
		const char *wrong = sink_left(sink) ? NULL : sink_grow(sink);
		uInt room = (uInt)sink_left(sink);

		if (wrong)
			return wrong;
		z->next_out = sink_at(sink);
		z->avail_out = room;
		rc = inflate(z, Z_NO_FLUSH);
		sink->bytes.size += room - z->avail_out;
	}
	return rc == Z_STREAM_END ? NULL : damaged;
}

static const char *unpack_gzip(const struct bytes *from, struct sink *sink)
{
	z_stream z = { .next_in = from->data, .avail_in = (uInt)from->size };
	const char *wrong;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return no_memory;
	wrong = gunzip_run(&z, sink);
	inflateEnd(&z);
	return wrong;
}

static const char *bunzip_run(bz_stream *bz, struct sink *sink)
{
	int rc = BZ_OK;

	while (rc == BZ_OK) {
		const char *wrong = sink_left(sink) ? NULL : sink_grow(sink);
		unsigned int room = (unsigned int)sink_left(sink);

		if (wrong)
			return wrong;
		bz->next_out = (char *)sink_at(sink);
		bz->avail_out = room;
		rc = BZ2_bzDecompress(bz);
		sink->bytes.size += room - bz->avail_out;
		/* Input ran out and nothing came: the stream is cut short. */
		if (rc == BZ_OK && !bz->avail_in && bz->avail_out)
			return damaged;
	}
	return rc == BZ_STREAM_END ? NULL : damaged;
}

static const char *unpack_bzip2(const struct bytes *from, struct sink *sink)
{
	bz_stream bz = { .next_in = (char *)from->data,
			 .avail_in = (unsigned int)from->size };
	const char *wrong;

	if (BZ2_bzDecompressInit(&bz, 0, 0) != BZ_OK)
		return no_memory;
	wrong = bunzip_run(&bz, sink);
	BZ2_bzDecompressEnd(&bz);
	return wrong;
}

static const char *xz_run(lzma_stream *xz, struct sink *sink)
{
	lzma_ret rc = LZMA_OK;

	while (rc == LZMA_OK) {
		const char *wrong = sink_left(sink) ? NULL : sink_grow(sink);
		size_t room = sink_left(sink);

		if (wrong)
			return wrong;
		xz->next_out = sink_at(sink);
		xz->avail_out = room;
		rc = lzma_code(xz, LZMA_RUN);
		sink->bytes.size += room - xz->avail_out;
	}
	return rc == LZMA_STREAM_END ? NULL : damaged;
}

/* .xz and the older .lzma: the library tells them apart itself. */
static const char *unpack_xz(const struct bytes *from, struct sink *sink)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	const char *wrong;

	xz.next_in = from->data;
	xz.avail_in = from->size;
	if (lzma_auto_decoder(&xz, UINT64_MAX, 0) != LZMA_OK)
		return no_memory;
	wrong = xz_run(&xz, sink);
	lzma_end(&xz);
	return wrong;
}

static const char *zstd_run(ZSTD_DCtx *zstd, const struct bytes *from,
			    struct sink *sink)
{
	ZSTD_inBuffer in = { .src = from->data, .size = from->size };
	size_t rc = 1;

	while (rc) {
		const char *wrong = sink_left(sink) ? NULL : sink_grow(sink);
		ZSTD_outBuffer to = { .dst = sink_at(sink),
				      .size = sink_left(sink) };

		if (wrong)
			return wrong;
		rc = ZSTD_decompressStream(zstd, &to, &in);
		sink->bytes.size += to.pos;
		if (ZSTD_isError(rc) ||
		    (rc && in.pos == in.size && to.pos < to.size))
			return damaged;
	}
	return NULL;
}

static const char *unpack_zstd(const struct bytes *from, struct sink *sink)
{
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	const char *wrong;

	if (!zstd)
		return no_memory;
	/* Linux compresses with windows up to 128 MiB: the library's limit. */
	ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 27);
	wrong = zstd_run(zstd, from, sink);
	ZSTD_freeDCtx(zstd);
	return wrong;
}

static uint32_t le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
}

/*
 * The legacy LZ4 frame that Linux uses and liblz4's frame reader refuses:
 * a magic, then blocks of {packed size, packed bytes} that each unpack to at
 * most 8 MiB. A size that cannot be one is what Linux appended: the end.
 */
static const char *unpack_lz4(const struct bytes *from, struct sink *sink)
{
	const size_t block = (size_t)8 << 20;
	size_t at = 4;

	while (from->size - at >= 4) {
		size_t packed = le32(from->data + at);
		const char *wrong = NULL;
		int got;

		if (packed == 0 || packed > from->size - at - 4)
			break;
		while (!wrong && sink_left(sink) < block)
			wrong = sink_grow(sink);
		if (wrong)
			return wrong;
		got = LZ4_decompress_safe((char *)from->data + at + 4,
					  (char *)sink_at(sink), (int)packed,
					  (int)block);
		if (got < 0)
			return damaged;
		sink->bytes.size += (size_t)got;
		at += 4 + packed;
	}
	return sink->bytes.size ? NULL : damaged;
}

static const char *unpack_plain(const struct bytes *from, struct sink *sink)
{
	while (sink->room < from->size) {
		const char *wrong = sink_grow(sink);

		if (wrong)
			return wrong;
	}
	memcpy(sink->bytes.data, from->data, from->size);
	sink->bytes.size = from->size;
	return NULL;
}

struct unpacker {
	const char *magic;
	size_t magic_size;
	const char *(*run)(const struct bytes *from, struct sink *sink);
};

static const struct unpacker unpackers[] = {
	{ "\x1f\x8b", 2, unpack_gzip },
	{ "BZh", 3, unpack_bzip2 },
	{ "\xfd"
	  "7zXZ",
	  6, unpack_xz },
	{ "\x5d\0\0", 3, unpack_xz },
	{ "\x28\xb5\x2f\xfd", 4, unpack_zstd },
	{ "\x02\x21\x4c\x18", 4, unpack_lz4 },
	{ "\x7f"
	  "ELF",
	  4, unpack_plain },
};

const char *unpack(const struct bytes *from, size_t max, struct bytes *to)
{
	struct sink sink = { .max = max };

	for (size_t i = 0; i < sizeof(unpackers) / sizeof(unpackers[0]); i++) {
		const struct unpacker *u = &unpackers[i];
		const char *wrong;

		if (from->size < u->magic_size ||
		    memcmp(from->data, u->magic, u->magic_size) != 0)
			continue;
		wrong = u->run(from, &sink);
		if (wrong)
			bytes_free(&sink.bytes);
		*to = sink.bytes;
		return wrong;
	}
	return "is packed by a compressor that is not known here";
}
