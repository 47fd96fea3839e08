/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>

static void hears(int fd, const char *want)
{
        char got[64] = { 0 };
        assert_int_equal(recv(fd, got, sizeof got - 1, MSG_DONTWAIT), (int)strlen(want));
        assert_string_equal(got, want);
}

static void nobody_listens(void **state)
{
        (void)state;
        notify_open();
        notify("READY=1");
}

static void speaks_to_a_supervisor(void **state)
{
        (void)state;
        int ends[2];
        char number[16];
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
        snprintf(number, sizeof number, "%d", ends[1]);
        setenv(NOTIFY_FD_VARIABLE, number, 1);
        notify_open();
        assert_null(getenv(NOTIFY_FD_VARIABLE));
        notify("READY=1");
        hears(ends[0], "READY=1");
        close(ends[0]);
        notify("STOPPING=1"); /* to nobody: no signal, no failure */
        close(ends[1]);
}

static void speaks_to_systemd(void **state)
{
        (void)state;
        struct sockaddr_un at = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        int n = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "porteiro-notify-test-%d", (int)getpid());
        autofree char *name = xasprintf("@%s", at.sun_path + 1);
        assert_int_equal(
            bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)), 0);
        setenv("NOTIFY_SOCKET", name, 1);
        notify_open();
        assert_null(getenv("NOTIFY_SOCKET"));
        notify("READY=1");
        hears(fd, "READY=1");
        close(fd);
}

static void ignores_what_is_no_socket(void **state)
{
        (void)state;
        setenv(NOTIFY_FD_VARIABLE, "1", 1);
        notify_open();
        notify("nothing of this may be seen on standard output");
        setenv("NOTIFY_SOCKET", "vsock:1:2", 1);
        notify_open();
        notify("nor sent anywhere");
}

static void halves_the_watchdog(void **state)
{
        (void)state;
        assert_int_equal(notify_watchdog(), 0);
        setenv("WATCHDOG_USEC", "30000000", 1);
        assert_int_equal(notify_watchdog(), 15000000);
        setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
        assert_int_equal(notify_watchdog(), 0);
        unsetenv("WATCHDOG_PID");
        setenv("WATCHDOG_USEC", "soon", 1);
        assert_int_equal(notify_watchdog(), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nobody_listens),      cmocka_unit_test(speaks_to_a_supervisor),
                cmocka_unit_test(speaks_to_systemd),   cmocka_unit_test(ignores_what_is_no_socket),
                cmocka_unit_test(halves_the_watchdog),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
