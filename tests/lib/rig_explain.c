// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rig_explain.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <weir/names.h>

/* Loading takes longer than a thousand questions, so it is kept as long as the maps are the same.
 */
static struct explain *explain;
static uint32_t explained[OBJECT_MAPS];

static bool are_the_same(void)
{
	for (size_t i = 0; i < OBJECT_MAPS; i++)
		if (explained[i] != rig.object->maps[i].id)
			return false;
	return explain;
}

const struct explain_answer *rig_explain(const struct packet *packet)
{
	static struct explain_answer answer;
	struct explain_packet question = {
		.frame = packet->bytes,
		.size = packet->size,
		.ifindex = rig.arm[rig.ingress],
	};
	struct err err = {};

	if (!are_the_same()) {
		explain_close(explain);
		explain = NULL;
		cr_assert_eq(explain_open(rig.object, false, &explain, &err), 0, "%s", err.text);
		for (size_t i = 0; i < OBJECT_MAPS; i++)
			explained[i] = rig.object->maps[i].id;
	}
	cr_assert_eq(explain_ask(explain, &question, &answer, &err), 0, "%s", err.text);
	return &answer;
}

const struct weir_step *rig_step(const struct explain_answer *answer, enum weir_step_kind kind)
{
	for (uint32_t i = 0; i < answer->steps.count; i++)
		if (answer->steps.step[i].kind == kind)
			return &answer->steps.step[i];
	return NULL;
}

/* Fowler, Noll, Vo, by words: as good as by bytes for telling whether anything has changed. */
static uint64_t add(uint64_t sum, const void *bytes, size_t size)
{
	uint64_t word;

	for (; size; size -= size < sizeof(word) ? size : sizeof(word)) {
		word = 0;
		memcpy(&word, bytes, size < sizeof(word) ? size : sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
		bytes = (const char *)bytes + sizeof(word);
	}
	return sum;
}

static uint64_t add_mapped(uint64_t sum, int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	cr_assert_neq(memory, MAP_FAILED, "%s", strerror(errno));
	sum = add(sum, memory, size);
	munmap(memory, size);
	return sum;
}

/* Keys come in the order of the table, which is the same as long as nothing is added. */
static uint64_t add_elements(uint64_t sum, int fd, const struct bpf_map_info *info)
{
	static uint8_t key[64], next[64], value[65536];
	size_t size = info->value_size;
	void *from = NULL;

	if (info->type == BPF_MAP_TYPE_PERCPU_ARRAY)
		size = ((size + 7) & ~7ul) * (size_t)libbpf_num_possible_cpus();
	cr_assert(info->key_size <= sizeof(key) && size <= sizeof(value), "%s", info->name);
	while (!bpf_map_get_next_key(fd, from, next)) {
		memcpy(key, next, sizeof(key));
		from = key;
		sum = add(sum, key, info->key_size);
		if (!bpf_map_lookup_elem(fd, key, value))
			sum = add(sum, value, size);
	}
	return sum;
}

static uint64_t add_pin(uint64_t sum, const char *path)
{
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);
	int fd = bpf_obj_get(path);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(bpf_obj_get_info_by_fd(fd, &info, &size), 0, "%s", path);
	if (info.map_flags & BPF_F_MMAPABLE)
		sum = add_mapped(sum, fd, info.value_size * (size_t)info.max_entries);
	else
		sum = add_elements(sum, fd, &info);
	close(fd);
	return sum;
}

uint64_t rig_fingerprint(void)
{
	char directory[OBJECT_PATH_MAX + 16], path[sizeof(directory) + 257];
	uint64_t sum = 0xcbf29ce484222325ull;
	struct dirent *entry;
	unsigned maps = 0;
	DIR *pins;

	snprintf(directory, sizeof(directory), "%s/set-%u", rig.object->directory, rig.object->set);
	pins = opendir(directory);
	cr_assert(pins, "%s", directory);
	while ((entry = readdir(pins))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, WEIR_PIN_PROGRAM) ||
		    !strcmp(entry->d_name, WEIR_PIN_SWEEP) ||
		    !strcmp(entry->d_name, WEIR_PIN_STEER) ||
		    !strncmp(entry->d_name, WEIR_PIN_SHOW_PREFIX, strlen(WEIR_PIN_SHOW_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		sum = add_pin(sum, path);
		maps++;
	}
	closedir(pins);
	cr_assert_gt(maps, 15, "%s has %u maps", directory, maps);
	return sum;
}
