/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "graph/words.h"

#define GRAPH_WORD_TEXTS(id, english, portuguese) { english, portuguese },

const char *graph_word(enum graph_language language, enum graph_word word)
{
        static const char *const texts[][GRAPH_LANGUAGES] = { GRAPH_WORDS(GRAPH_WORD_TEXTS) };
        return texts[word][language];
}
