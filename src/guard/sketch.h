/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard/sketch.h - about how many different things, in at most 256 bytes, without keeping any of them.
 *
 * Destinations are personal: a sketch of them says how many there were, and under a secret key nobody can ask it whether a certain one
 * was among them. HyperLogLog (Flajolet and others 2007) with 256 registers: the error is 6.5 % (one sigma), small numbers by linear counting.
 *
 * Written: nothing for an empty one; pairs of (register, value) bytes, registers ascending, while at most 64 are set; else 256 values.
 * Owns:    nothing; a value.
 * Threads: pure.
 * Limits:  sketches merge only where they were filled under one key. */
#pragma once

#include "base/slice.h"

enum { SKETCH_REGISTERS = 256, SKETCH_SPARSE_MOST = 64, SKETCH_BYTES_MOST = SKETCH_REGISTERS };

struct sketch {
        uint8_t registers[SKETCH_REGISTERS];
};

void sketch_init(struct sketch *s);
void sketch_add(struct sketch *s, const uint8_t key[16], struct slice item);
/* Adds what another one saw. False, and nothing changed, where `encoded` is no sketch. */
bool sketch_merge(struct sketch *s, struct slice encoded);
/* Its written form in `out`. */
struct slice sketch_encode(const struct sketch *s, char out[SKETCH_BYTES_MOST]);
uint64_t sketch_count(const struct sketch *s);
/* Of a written one; 0 where it is no sketch. */
uint64_t sketch_estimate(struct slice encoded);
