/*
 * A fuzz target is one function over bytes.  With libFuzzer it is called with
 * what the fuzzer makes up; without it (REPLAY) main calls it with the files
 * named, so that the corpus is checked by every "make test".
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef REPLAY
#include <stdio.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	static uint8_t bytes[1 << 20];
	FILE *file;
	size_t n;
	uint8_t *copy;

	while (--argc > 0) {
		file = fopen(*++argv, "rb");
		if (file == NULL) {
			perror(*argv);
			return 1;
		}
		n = fread(bytes, 1, sizeof bytes, file);
		(void)fclose(file);
		/* Of exactly its size, so that a sanitizer sees its end. */
		copy = malloc(n == 0 ? 1 : n);
		if (copy == NULL)
			return 1;
		for (size_t i = 0; i < n; i++)
			copy[i] = bytes[i];
		(void)LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	return 0;
}
#endif

/* True or the process ends: a finding. */
#define MUST(what)                        \
	do {                              \
		if (!(what))              \
			__builtin_trap(); \
	} while (0)

#endif
