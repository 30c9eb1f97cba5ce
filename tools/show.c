/*
 * `vmmu show`: a report that --stats wrote, as tables. Each object of the
 * report is one, its numbers in order of their size; what is zero is left out.
 * An object of nothing but counts of one kind has their sum in its title.
 */
#include "show.h"

#include <argp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define TITLE_MAX 96

struct row {
	const char *name;
	json_int_t value;
};

/* 1. Names that the report has numbers for: exceptions, by vector. */
static const char *exception_name(const char *vector)
{
	static const char *const names[32] = {
		"#DE divide",
		"#DB debug",
		"NMI",
		"#BP breakpoint",
		"#OF overflow",
		"#BR bound",
		"#UD invalid opcode",
		"#NM no device",
		"#DF double fault",
		NULL,
		"#TS bad TSS",
		"#NP not present",
		"#SS stack",
		"#GP protection",
		"#PF page fault",
		NULL,
		"#MF x87",
		"#AC alignment",
		"#MC machine check",
		"#XM SIMD",
		"#VE virtualization",
		"#CP control",
	};
	unsigned long n = strtoul(vector, NULL, 10);

	return n < 32 && names[n] ? names[n] : vector;
}

/* 2. One object. */

static int by_value(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? 1 : -1;
	return strcmp(x->name, y->name);
}

static size_t rows_of(const json_t *object, struct row *row, json_int_t *sum)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	*sum = 0;
	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_integer(value) || !json_integer_value(value))
			continue;
		row[n++] = (struct row){ key, json_integer_value(value) };
		*sum += json_integer_value(value);
	}
	qsort(row, n, sizeof(row[0]), by_value);
	return n;
}

static void print_rows(const json_t *object, const char *title, FILE *file)
{
	struct row *row = calloc(json_object_size(object) + 1, sizeof(*row));
	bool vectors = strstr(title, "bounced") != NULL;
	json_int_t sum;
	size_t n = row ? rows_of(object, row, &sum) : 0;

	if (n) {
		/* Of one kind are those that lie two deep. */
		if (strchr(title, ' '))
			fprintf(file, "\n%s, %lld in all\n", title,
				(long long)sum);
		else
			fprintf(file, "\n%s\n", title);
	}
	for (size_t i = 0; i < n; i++)
		fprintf(file, "%16lld  %s\n", (long long)row[i].value,
			vectors ? exception_name(row[i].name) : row[i].name);
	free(row);
}

static void show_object(const json_t *object, const char *title, FILE *file)
{
	char inner[TITLE_MAX];
	const char *key;
	json_t *value;

	print_rows(object, title, file);
	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_object(value))
			continue;
		snprintf(inner, sizeof(inner), "%s %s", title, key);
		show_object(value, inner, file);
	}
}

/* 3. All of it. */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

void show_report(const json_t *report, FILE *file)
{
	const json_t *end = json_object_get(report, "end");
	const char *key;
	json_t *value;

	fprintf(file, "%s on %s: %s\n", text_of(report, "mmu"),
		text_of(report, "engine"), text_of(end, "sentence"));
	json_object_foreach((json_t *)report, key,
			    value) if (json_is_object(value) && value != end)
		show_object(value, key, file);
}

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	const char **path = state->input;

	if (key == ARGP_KEY_ARG && state->arg_num < 1) {
		*path = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int show_file(const char *path, struct outcome *out)
{
	json_error_t error;
	json_t *report = json_load_file(path, 0, &error);

	if (!report)
		return outcome_set(out, OUTCOME_START, "%s: %s", path,
				   error.text);
	if (json_integer_value(json_object_get(report, "vmmu")) == 1)
		show_report(report, stdout);
	else
		outcome_set(out, OUTCOME_START, "%s: it is no report of vmmu's",
			    path);
	json_decref(report);
	return out->status;
}

int show_command(int argc, char **argv, struct outcome *out)
{
	static const struct argp argp = {
		NULL,	  parse_one,
		"REPORT", "Prints a report that vmmu run --stats wrote.",
		NULL,	  NULL,
		NULL
	};
	static char name[] = "vmmu show";
	const char *path = NULL;

	argv[0] = name;
	argp_err_exit_status = OUTCOME_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &path) != 0 || !path)
		return outcome_set(out, OUTCOME_USAGE,
				   "vmmu show takes one file, which vmmu run "
				   "--stats wrote");
	return show_file(path, out);
}
