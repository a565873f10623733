/*
 * A child that calls back in its own words: what a script in any language
 * could do.  Each argument is a line for the callback, with @TOKEN@ replaced
 * by the token of this spawn; what is answered is printed, and the child ends,
 * with 0, when its lifeline breaks.  "-" instead of a line ends it at once.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hostmux/json.h>
#include <hostmux/text.h>

#include "check.h"

static const char *
token_of(const char *mode)
{
	static char token[65];
	struct hm_error err;
	struct hm_json *json;
	char *text;
	long len;

	CHECK(mode != NULL);
	text = malloc(strlen(mode) + 4);
	CHECK(text != NULL);
	len = hm_base64_decode(mode, strlen(mode), text);
	CHECK(len > 0);
	json = hm_json_parse(text, (size_t)len, &err);
	CHECK(json != NULL);
	(void)snprintf(
	    token, sizeof token, "%s", hm_json_string(json, "token", ""));
	hm_json_free(json);
	free(text);
	return token;
}

static int
call(const char *address)
{
	struct sockaddr_un sun;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK(fd != -1 && address != NULL);
	CHECK(strncmp(address, "unix:/", 6) == 0);
	memset(&sun, 0, sizeof sun);
	sun.sun_family = AF_UNIX;
	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s", address + 5);
	CHECK(connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
	return fd;
}

static void
say(int fd, const char *line, const char *token)
{
	const char *hole = strstr(line, "@TOKEN@");
	char text[4096];

	if (hole == NULL)
		(void)snprintf(text, sizeof text, "%s\n", line);
	else
		(void)snprintf(text, sizeof text, "%.*s%s%s\n",
		    (int)(hole - line), line, token, hole + 7);
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

int
main(int argc, char *argv[])
{
	char answer[4096];
	const char *token = token_of(getenv("HYPERACTOR_MESH_BOOTSTRAP_MODE"));
	int i, fd = call(getenv("HYPERACTOR_HOST_CALLBACK_ADDR"));
	ssize_t n;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			return 0;
		say(fd, argv[i], token);
	}
	while ((n = read(fd, answer, sizeof answer)) > 0)
		CHECK(write(STDOUT_FILENO, answer, (size_t)n) == n);
	return 0;
}
