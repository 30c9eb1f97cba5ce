/*
 * QEMU's control channel (QEMU docs/interop/qmp-spec.txt): one JSON object a
 * line. After the greeting the client must send qmp_capabilities before
 * anything else; then "cont" lets the machine run, which was started stopped.
 * The SHUTDOWN event carries the reason: guest-shutdown for a power-off,
 * guest-reset for a reset or a triple fault.
 */
#include "qmp.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "file.h"

static void greet(struct qmp *qmp)
{
	static const char words[] = "{\"execute\":\"qmp_capabilities\"}\n"
				    "{\"execute\":\"cont\"}\n";

	/* If QEMU is gone already, its end is seen elsewhere. */
	if (file_write_all(qmp->fd, words, sizeof(words) - 1) == 0)
		qmp->greeted = true;
}

static void take_line(const char *line, void *cookie)
{
	struct qmp *qmp = cookie;
	json_t *object = json_loads(line, 0, NULL);
	const char *event = json_string_value(json_object_get(object, "event"));
	const char *reason = json_string_value(
		json_object_get(json_object_get(object, "data"), "reason"));

	if (!qmp->greeted && json_object_get(object, "QMP"))
		greet(qmp);
	if (event && strcmp(event, "RESUME") == 0)
		qmp->resumed = true;
	if (event && reason && strcmp(event, "SHUTDOWN") == 0)
		snprintf(qmp->reason, sizeof(qmp->reason), "%s", reason);
	json_decref(object);
}

void qmp_add(struct qmp *qmp, const char *data, size_t size)
{
	lines_add(&qmp->lines, data, size, take_line, qmp);
}
