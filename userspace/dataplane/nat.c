// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "dataplane/nat.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#define SWEEP_CHUNK 16384u /* records in one run: 1 MB to read, a fraction of a millisecond */
#define READ_TRIES  8

uint32_t nat_size(const struct object *object)
{
	return capacity_entries(&object->capacity, "nat_records");
}

/* Word by word, each at once: they are written so. */
static void copy_record(const struct weir_nat_record *from, struct weir_nat_record *to)
{
	const uint64_t *words = (const uint64_t *)from;
	uint64_t copy[sizeof(*from) / sizeof(uint64_t)];

	for (size_t i = 0; i < sizeof(copy) / sizeof(copy[0]); i++)
		copy[i] = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
	memcpy(to, copy, sizeof(*to));
}

bool nat_read(const struct object *object, uint32_t index, struct weir_nat_record *ret)
{
	const struct weir_nat_record *record = &object->nat_records[index];

	for (int i = 0; i < READ_TRIES; i++) {
		struct weir_nat_record copy;

		copy_record(record, &copy);
		if (copy.word.is.state != WEIR_NAT_LIVE)
			return false;
		if (__atomic_load_n(&record->word.all, __ATOMIC_ACQUIRE) != copy.word.all)
			continue;
		*ret = copy;
		return true;
	}
	return false;
}

bool nat_is_over(const struct object *object, const struct weir_nat_record *record, uint32_t now)
{
	const struct weir_endpoint *row;
	uint32_t idle_timeout = WEIR_TIMEOUT_CLOSING;

	if (record->word.is.endpoint < object->capacity.of[CAPACITY_ROWS]) {
		row = &object->endpoints[record->word.is.endpoint];
		if ((uint16_t)row->generation == record->word.is.endpoint_generation)
			idle_timeout = row->idle_timeout;
	}
	return weir_nat_is_over(record, record->word.is.udp, idle_timeout, now);
}

int nat_sweep(const struct object *object, uint32_t now, uint32_t *ret, struct err *err)
{
	uint32_t removed = 0, size = nat_size(object);

	for (uint32_t first = 0; first < size; first += SWEEP_CHUNK) {
		uint32_t rest = size - first;
		struct weir_nat_sweep context = {
			.first = first,
			.count = rest < SWEEP_CHUNK ? rest : SWEEP_CHUNK,
			.now = now,
		};
		LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &context,
			    .ctx_size_in = sizeof(context));

		if (bpf_prog_test_run_opts(object->sweep, &options))
			return err_set(err, -errno, "cannot sweep the NAT flow table: %s",
				       strerror(errno));
		removed += context.removed;
	}
	*ret = removed;
	return 0;
}
