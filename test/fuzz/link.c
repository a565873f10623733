/*
 * A link that is fed bytes, in chunks the input chooses: whatever comes, it
 * ends with an error or goes on, and gives all credit back at its end.
 */
#include "fuzz.h"
#include "../drivers/ends.h"

static int
on_data(struct link *link, const struct hm_record *rec, struct chunk *chunk,
    unsigned char *p, uint32_t cost, struct hm_error *err)
{
	struct hm_head head;

	(void)chunk;
	if (rec->flags & HM_DATA_FIRST &&
	    hm_head_read(&head, p + HM_DATA_HEADER, rec->extra, err) == -1)
		return -1;
	if (rec->flags & HM_DATA_LAST)
		settle_delivered(link, hm_get64(p + HM_RECORD_HEADER));
	link_freed(link, cost);
	return 0;
}

static void
on_abort(struct link *link, uint64_t number)
{
	(void)link;
	(void)number;
}

static const struct link_ops ops = {
    on_data, on_abort, ends_on_bye, ends_on_due, ends_on_unused, NULL};

static void
feed(struct end *end, const uint8_t *data, size_t size)
{
	static unsigned char out[HM_RECORD_MAX];
	struct hm_error err;
	size_t step;

	for (; size > 0; data += step, size -= step) {
		step = 1u + data[0] % 97u;
		if (step > size)
			step = size;
		if (end_input(end, data, step, &err) == -1)
			break;
		while (end_output(end, out, sizeof out) > 0)
			;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hm_limits limits;
	struct end end;

	if (size < 2)
		return 0;
	hm_limits_init(&limits);
	end_init(&end, &ops, &limits, 1 << 20);
	end.link.keep = (data[0] & 1) != 0;
	end.link.credit = data[1];
	feed(&end, data + 2, size - 2);
	link_lost(&end.link, HM_UNKNOWN, "end", "");
	end_fini(&end);
	return 0;
}
