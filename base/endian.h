/* endian: fixed-width integers in memory, big-endian for keys and preimages. Cannot fail. */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include <stdint.h>

static inline void put_u32be(uint8_t out[4], uint32_t v)
{
	out[0] = (uint8_t)(v >> 24), out[1] = (uint8_t)(v >> 16);
	out[2] = (uint8_t)(v >> 8), out[3] = (uint8_t)v;
}

static inline void put_u64be(uint8_t out[8], uint64_t v)
{
	put_u32be(out, (uint32_t)(v >> 32));
	put_u32be(out + 4, (uint32_t)v);
}

static inline uint32_t get_u32be(const uint8_t in[4])
{
	return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

static inline uint64_t get_u64be(const uint8_t in[8])
{
	return (uint64_t)get_u32be(in) << 32 | get_u32be(in + 4);
}

#endif
