/* A report for people: what was counted, the most first. */
#ifndef TOOLS_SHOW_H
#define TOOLS_SHOW_H

#include <stdio.h>

#include <jansson.h>

/* All that is not zero. */
void show_report(const json_t *report, FILE *file);

#endif
