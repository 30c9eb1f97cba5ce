/*
 * The commands. Each takes the words from its own name on and returns its
 * outcome's status.
 */
#ifndef TOOLS_RUN_H
#define TOOLS_RUN_H

#include "outcome.h"

int run_command(int argc, char **argv, struct outcome *out);
int extract_command(int argc, char **argv, struct outcome *out);
int show_command(int argc, char **argv, struct outcome *out);

#endif
