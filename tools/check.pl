#!/usr/bin/perl
# Runs programs that speak TAP and make targets that must succeed, and ends
# on one line that counts both: "N passed, N failed".
#
# Usage: check.pl [--jobs N] [--make TARGET]... PROGRAM...
#
# A program counts each of its tests; one that breaks its plan, or ends with
# a failure that no test of it owns up to, counts as one failed test more. A
# make target counts as one test.
use strict;
use warnings;
use Getopt::Long;
use TAP::Harness;

my ($jobs, @targets) = (2);
GetOptions('jobs=i' => \$jobs, 'make=s' => \@targets) or exit 2;
my ($passed, $failed) = (0, 0);
# Two fragments may name the same one.
my %seen;
@targets = grep { !$seen{$_}++ } @targets;
@ARGV = grep { !$seen{$_}++ } @ARGV;
my $start = time;

# Make targets first and one by one: they build with all processors.
for my $target (@targets) {
	my $output = `\${MAKE:-make} --no-print-directory $target 2>&1`;
	if ($? == 0) {
		print "make $target .. ok\n";
		$passed++;
	} else {
		print $output, "make $target .. FAILED\n";
		$failed++;
	}
}

if (@ARGV) {
	$ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
	my $harness = TAP::Harness->new({
		jobs => $jobs, timer => 1, failures => 1, comments => 1,
		merge => 0, exec => sub { [ $_[1] ] } });
	my $sum = $harness->runtests(@ARGV);
	$passed += $sum->passed;
	$failed += $sum->failed;
	for my $parser ($sum->parsers) {
		my $odd = $parser->parse_errors
			|| ($parser->exit && !$parser->failed);
		$failed++ if $odd;
	}
}

printf "%d seconds\n%d passed, %d failed\n", time - $start, $passed, $failed;
exit($failed || !$passed ? 1 : 0);
