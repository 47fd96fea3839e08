/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/leases.c - writes a lease or accounting file of any size: `leases detail|kea4|csv LEASES SUBSCRIBERS`.
 *
 * Subscribers take turns; each has the same address all the time, a new session a day, and in the detail file a Start and a Stop for each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const uint64_t FIRST = 1704067200; /* 2024-01-01 */

static const char *address(uint64_t n, char out[20])
{
        snprintf(out, 20, "%u.%u.%u.%u", 100 + (unsigned)(n >> 24), (unsigned)(n >> 16 & 255), (unsigned)(n >> 8 & 255),
                 (unsigned)(n & 255));
        return out;
}

static void accounting(uint64_t user, uint64_t session, uint64_t at, uint64_t lasted)
{
        static uint64_t shown;
        static char arrival[64], stamp[64];
        char ip[20];
        if (at != shown) {
                time_t t = (time_t)at;
                struct tm tm;
                gmtime_r(&t, &tm);
                strftime(arrival, sizeof arrival, "%a %b %e %H:%M:%S %Y", &tm);
                strftime(stamp, sizeof stamp, "%b %d %Y %H:%M:%S UTC", &tm);
                shown = at;
        }
        printf(
            "%s\n\tUser-Name = \"user%" PRIu64
            "@example.net\"\n\tNAS-IP-Address = 198.51.100.%u\n\tNAS-Identifier = \"bras%u\"\n"
            "\tNAS-Port = %" PRIu64 "\n\tNAS-Port-Type = Ethernet\n\tNAS-Port-Id = \"ae0.%" PRIu64
            "\"\n\tService-Type = Framed-User\n"
            "\tFramed-Protocol = PPP\n\tFramed-IP-Address = %s\n\tCalling-Station-Id = \"02:00:%02X:%02X:%02X:%02X\"\n"
            "\tAcct-Session-Id = \"%08" PRIx64
            "\"\n\tAcct-Authentic = RADIUS\n\tEvent-Timestamp = \"%s\"\n\tAcct-Status-Type = %s\n"
            "\tAcct-Delay-Time = 0\n",
            arrival, user, (unsigned)(user % 8 + 1), (unsigned)(user % 8), user % 4096, user % 4096, address(user, ip),
            (unsigned)(user >> 24 & 255), (unsigned)(user >> 16 & 255), (unsigned)(user >> 8 & 255),
            (unsigned)(user & 255), session, stamp, lasted ? "Stop" : "Start");
        if (lasted)
                printf("\tAcct-Session-Time = %" PRIu64
                       "\n\tAcct-Input-Octets = 3885297172\n\tAcct-Output-Octets = 3886712182\n"
                       "\tAcct-Terminate-Cause = User-Request\n",
                       lasted);
        printf("\tAcct-Unique-Session-Id = \"332a746184a9188f6637f8b0%08" PRIx64 "\"\n\tTimestamp = %" PRIu64 "\n\n",
               session, at);
}

int main(int argc, char **argv)
{
        if (argc != 4)
                return 2;
        uint64_t leases = strtoull(argv[2], NULL, 10), subscribers = strtoull(argv[3], NULL, 10);
        int detail = !strcmp(argv[1], "detail"), kea = !strcmp(argv[1], "kea4");
        uint64_t *began = calloc(subscribers, sizeof *began), *session = calloc(subscribers, sizeof *session);
        static char out[1 << 20], ip[20];
        setvbuf(stdout, out, _IOFBF, sizeof out);
        if (kea)
                puts("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_"
                     "context");
        else if (!detail)
                puts("address,line,from,until");
        for (uint64_t i = 0, n = 0, ids = 0; n < leases; i++) {
                uint64_t user = i * 2654435761u % subscribers, at = FIRST + i * 43200 / subscribers;
                if (kea || !detail) {
                        at = FIRST + i * 86400 / subscribers;
                        n++;
                        if (kea)
                                printf("%s,02:00:%02x:%02x:%02x:%02x,,43200,%" PRIu64 ",7,0,0,,0,\n", address(user, ip),
                                       (unsigned)(user >> 24 & 255), (unsigned)(user >> 16 & 255),
                                       (unsigned)(user >> 8 & 255), (unsigned)(user & 255), at + 43200);
                        else
                                printf("%s,user:user%" PRIu64 "@example.net,%" PRIu64 ",%" PRIu64 "\n",
                                       address(user, ip), user, at, at + 43200);
                } else if (session[user]) {
                        accounting(user, session[user], at, at > began[user] ? at - began[user] : 1);
                        session[user] = 0;
                        n++;
                } else {
                        session[user] = ++ids;
                        began[user] = at;
                        accounting(user, ids, at, 0);
                }
        }
        return 0;
}
