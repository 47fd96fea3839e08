/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "gate/others.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CHAIN(hook, prio, policy)                                                                                      \
        "{\"chain\":{\"family\":\"inet\",\"table\":\"fw\",\"name\":\"c\",\"type\":\"filter\",\"hook\":\"" hook         \
        "\",\"prio\":" prio ",\"policy\":\"" policy "\"}}"
#define RULE(expressions) "{\"rule\":{\"family\":\"inet\",\"table\":\"fw\",\"chain\":\"c\",\"expr\":[" expressions "]}}"
#define DPORT(op, value)                                                                                               \
        "{\"match\":{\"op\":\"" op                                                                                     \
        "\",\"left\":{\"payload\":{\"protocol\":\"tcp\",\"field\":\"dport\"}},\"right\":" value "}}"
#define DROP "{\"drop\":null}"
#define EARLY CHAIN("prerouting", "-300", "accept")

/* What this machine's kernel may not have, or other versions of nft may print; the rest is tried with real rules by tests/. */
static const struct {
        const char *name, *list;
        size_t want;
} rulesets[] = {
        { "an empty ruleset", "", 0 },
        { "a flowtable",
          "{\"flowtable\":{\"family\":\"inet\",\"name\":\"f\",\"table\":\"fw\",\"hook\":\"ingress\",\"dev\":[\"home1\"]"
          "}}",
          1 },
        { "a chain of ours",
          "{\"chain\":{\"family\":\"inet\",\"table\":\"porteiro\",\"name\":\"door\",\"hook\":\"prerouting\",\"prio\":-"
          "300,\"policy\":\"drop\"}}",
          0 },
        { "a chain of a bridge",
          "{\"chain\":{\"family\":\"bridge\",\"table\":\"b\",\"name\":\"c\",\"hook\":\"prerouting\",\"prio\":-300,"
          "\"policy\":\"drop\"}}",
          0 },
        { "an early drop", EARLY "," RULE(DPORT("==", "25") "," DROP), 1 },
        { "a drop of a range with 25 in it", EARLY "," RULE(DPORT("==", "{\"range\":[20,30]}") "," DROP), 1 },
        { "a drop of a range without", EARLY "," RULE(DPORT("==", "{\"range\":[26,30]}") "," DROP), 0 },
        { "a drop of a named set", EARLY "," RULE(DPORT("==", "\"@ports\"") "," DROP), 1 },
        { "a drop of all but 25", EARLY "," RULE(DPORT("!=", "25") "," DROP), 0 },
        { "a drop where a match of iptables decides",
          EARLY "," RULE("{\"xt\":{\"type\":\"match\",\"name\":\"set\"}}," DROP), 0 },
        { "a late drop is that firewall's business",
          CHAIN("prerouting", "0", "accept") "," RULE(DPORT("==", "25") "," DROP), 0 },
        { "a rule without expressions", EARLY ",{\"rule\":{\"family\":\"inet\",\"table\":\"fw\",\"chain\":\"c\"}}", 0 },
        { "a jump in a circle", EARLY "," RULE("{\"jump\":{\"target\":\"c\"}}"), 0 },
        { "things of other kinds and shapes",
          "{\"metainfo\":{}},[],null,7,{\"chain\":null},{\"rule\":[]},{\"flowtable\":null}", 1 },
};

static void test_rulesets(void **state)
{
        static const char policy_text[] = "network \"n\" { timezone UTC }\nclass home { port25 block }\npool a { class "
                                          "home prefix 198.51.100.0/24 }\n";
        (void)state;
        autodiags *none = diags_new();
        struct policy_input in = { .name = S("test.conf"), .text = slice_of(policy_text) };
        autopolicy *policy = policy_parse(&in, none);
        assert_non_null(policy);
        struct plan_input plan_in = { .policy = policy };
        autoplan *plan = plan_new(&plan_in);
        for (size_t i = 0; i < COUNT_OF(rulesets); i++) {
                autodiags *d = diags_new();
                autofree char *text = xasprintf("{\"nftables\":[%s]}", rulesets[i].list);
                others_check_ruleset(plan, slice_of(text), d);
                if (diags_warnings(d) != rulesets[i].want)
                        fail_msg("%s: got %zu warnings, want %zu", rulesets[i].name, diags_warnings(d),
                                 rulesets[i].want);
        }
}

static void test_no_json_at_all(void **state)
{
        (void)state;
        autodiags *d = diags_new();
        struct plan plan = { 0 };
        others_check_ruleset(&plan, S("Error: not JSON"), d);
        assert_int_equal(diags_warnings(d), 0);
}

int main(void)
{
        static const struct CMUnitTest tests[] = { cmocka_unit_test(test_rulesets),
                                                   cmocka_unit_test(test_no_json_at_all) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
