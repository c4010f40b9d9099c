#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Writes a MaxMind DB: mmdb.pl 4|6 FILE, and on stdin lines of PREFIX COUNTRY CONTINENT, of which - is
# left out.
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my ($version, $file) = @ARGV;
my %types = (country => 'map', continent => 'map', iso_code => 'utf8_string', code => 'utf8_string');
my $tree = MaxMind::DB::Writer::Tree->new(
	ip_version => $version,
	record_size => 24,
	database_type => 'Countries',
	languages => ['en'],
	description => { en => 'of a test' },
	remove_reserved_networks => 0,
	alias_ipv6_to_ipv4 => $version == 6,
	map_key_type_callback => sub { $types{ $_[0] } },
);
while (<STDIN>) {
	my ($prefix, $country, $continent) = split;
	my %entry;

	$entry{country} = { iso_code => $country } if $country ne '-';
	$entry{continent} = { code => $continent } if $continent ne '-';
	$tree->insert_network($prefix, \%entry);
}
open my $out, '>:raw', $file or die "$file: $!\n";
$tree->write_tree($out);
close $out or die "$file: $!\n";
