/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/notice.h - inotify as a mere hint: something happened to one of these files, look at them.
 *
 * Which event it was is not asked, for the files themselves say what is there.
 * Owns:    the inotify descriptor. NULL is a notice that never comes.
 * Threads: one.
 * Limits:  a file is watched with the one it was before, for who writes may still have that open. */
#pragma once

#include "base/base.h"

struct notice;

struct notice *notice_new(size_t n); /* NULL where the kernel has no more of them */
void notice_free(struct notice *w);
int notice_fd(const struct notice *w);
void notice_drain(struct notice *w);
/* Watches the i-th, as it stands there now, and its folder for what may take its place. */
void notice_watch(struct notice *w, size_t i, const char *path, const char *folder);
