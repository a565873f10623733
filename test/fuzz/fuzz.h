/*
 * A fuzz target is one function over bytes.  With libFuzzer (FUZZING) it is
 * called with what the fuzzer makes up; without it main calls it with the files
 * named, so that every "make test" goes through the corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK_END abort()
#include "../drivers/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef FUZZING
int
main(int argc, char *argv[])
{
	static uint8_t bytes[1 << 20];
	FILE *file;
	size_t n, i;
	uint8_t *copy;
	int k;

	for (k = 1; k < argc; k++) {
		file = fopen(argv[k], "rb");
		if (file == NULL) {
			perror(argv[k]);
			return 1;
		}
		n = fread(bytes, 1, sizeof bytes, file);
		(void)fclose(file);
		/* A finding ends here: the last one named is it. */
		printf("%s\n", argv[k]);
		(void)fflush(stdout);
		/* Of exactly its size, so that a sanitizer sees its end. */
		copy = malloc(n == 0 ? 1 : n);
		CHECK(copy != NULL);
		for (i = 0; i < n; i++)
			copy[i] = bytes[i];
		(void)LLVMFuzzerTestOneInput(copy, n);
		free(copy);
	}
	return 0;
}
#endif

#endif
