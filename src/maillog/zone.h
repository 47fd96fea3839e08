/* SPDX-License-Identifier: GPL-3.0-or-later */
/* maillog/zone.h - what a local time in a log means, by the zones of this machine.
 *
 * libc knows one zone at a time: another is set for the moment of the question, which is asked once an hour of a log.
 * Owns:    nothing; the name of a zone must outlive what is made of it.
 * Threads: one that asks; no other may use libc's local times meanwhile.
 * Limits:  zones that are installed; one that is not counts as UTC. */
#pragma once

#include "maillog/syslog.h"

/* The zone of the process; or another, by name. */
struct syslog_zone zone_of_process(void);
struct syslog_zone zone_named(const struct slice *name);
