/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/words.h - the words of pictures, in the languages a policy knows.
 *
 * Owns:    nothing; texts are constant.
 * Threads: pure.
 * Limits:  none. */
#pragma once

/* The first seven are the days, from Sunday on, then follow the months. */
#define GRAPH_WORDS(X)                                                                                                 \
        X(SUNDAY, "Sun", "dom")                                                                                        \
        X(MONDAY, "Mon", "seg")                                                                                        \
        X(TUESDAY, "Tue", "ter")                                                                                       \
        X(WEDNESDAY, "Wed", "qua")                                                                                     \
        X(THURSDAY, "Thu", "qui")                                                                                      \
        X(FRIDAY, "Fri", "sex")                                                                                        \
        X(SATURDAY, "Sat", "sáb")                                                                                      \
        X(JANUARY, "Jan", "jan")                                                                                       \
        X(FEBRUARY, "Feb", "fev")                                                                                      \
        X(MARCH, "Mar", "mar")                                                                                         \
        X(APRIL, "Apr", "abr")                                                                                         \
        X(MAY, "May", "mai")                                                                                           \
        X(JUNE, "Jun", "jun")                                                                                          \
        X(JULY, "Jul", "jul")                                                                                          \
        X(AUGUST, "Aug", "ago")                                                                                        \
        X(SEPTEMBER, "Sep", "set")                                                                                     \
        X(OCTOBER, "Oct", "out")                                                                                       \
        X(NOVEMBER, "Nov", "nov")                                                                                      \
        X(DECEMBER, "Dec", "dez")                                                                                      \
        X(PER_SECOND, "per second", "por segundo")                                                                     \
        X(PER_MINUTE, "per minute", "por minuto")                                                                      \
        X(PER_HOUR, "per hour", "por hora")                                                                            \
        X(LEVEL, "level", "nível")                                                                                     \
        X(MEAN, "mean", "média")                                                                                       \
        X(MAXIMUM, "maximum", "máximo")                                                                                \
        X(LAST, "last", "último")                                                                                      \
        X(FROM, "From", "De")                                                                                          \
        X(TO, "to", "a")                                                                                               \
        X(UNKNOWN, "time of which nothing is known:", "tempo sobre o qual nada se sabe:")                              \
        X(NO_DATA, "no data", "sem dados")                                                                             \
        X(CUT, "bursts are cut; they reach", "picos cortados; chegam a")

#define GRAPH_WORD_ENUM(id, english, portuguese) GRAPH_##id,
enum graph_word { GRAPH_WORDS(GRAPH_WORD_ENUM) GRAPH_WORDS_ALL };
enum graph_language { GRAPH_ENGLISH, GRAPH_PORTUGUESE, GRAPH_LANGUAGES };

const char *graph_word(enum graph_language language, enum graph_word word);
