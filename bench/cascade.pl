# SPDX-License-Identifier: GPL-3.0-or-later
# A cascade of regular expressions over every line, as such systems were written in Perl: refusals by kind and client. Prints the sums.
use strict;
use warnings;

my (%kind, %client);
while (my $line = <STDIN>) {
    my ($time, $host, $daemon, $t) = $line =~ /^(\S+) (\S+) postfix\S*\/([\w-]+)\[\d+\]: (.*)/ or next;
    my ($ip) = $t =~ /\[([\d.a-fA-F:]+)\]/;
    my $id = '';
    if ($t =~ /User unknown in local recipient table/) { $id = 'local' }
    elsif ($t =~ /Sender address rejected: message rate/) { $id = 'rate' }
    elsif ($t =~ /Sender address rejected: Domain not/) { $id = 'domain' }
    elsif ($t =~ /not logged in/) { $id = 'not_logged' }
    elsif ($t =~ /not owned/) { $id = 'not_owned' }
    elsif ($t =~ /Sender address rejected:/) { $id = 'sender' }
    elsif ($t =~ /Relay access denied/) { $id = 'relay' }
    elsif ($t =~ /blocked using/) { $id = 'rbl' }
    elsif ($t =~ /Helo command rejected/) { $id = 'helo' }
    elsif ($t =~ /Client host rejected/) { $id = 'client' }
    next unless $id && $ip;
    $kind{$id}++;
    $client{$ip}++;
}
print "$_ $kind{$_}\n" for sort keys %kind;
print scalar(keys %client), " clients\n";
