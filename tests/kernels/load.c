// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: every program of an object loads with each setting of the object's switches: none, each
 * alone, each pair, all. Switches are the `const volatile bool` variables that can be set before
 * the load, as the object's BTF has them, so that a new one is tried without a word here. (Numbers
 * are sizes: they stay as they are compiled.)
 *
 * load OBJECT...: for each object a line per program, with the most instructions that the verifier
 * had to look at, and at its end `loads N programs N switches N`. Exit status 1: one was refused.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SWITCHES_MAX 16
#define PROGRAMS_MAX 32
#define TEXT_MAX     128

/* A variable in .rodata, by its place there. */
struct switch_ {
	const char *name;
	__u32 offset;
};

struct switches {
	struct switch_ list[SWITCHES_MAX];
	unsigned count;
};

struct program {
	char name[64];
	char with[TEXT_MAX]; /* the setting with the most instructions */
	__u32 most;
};

struct programs {
	struct program list[PROGRAMS_MAX];
	unsigned count;
	unsigned long loads;
};

/* The end of what libbpf says, which is worth reading after a failure. */
static char message[4096];

static int keep_message(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text;
	size_t used = strlen(message), size;

	if (level != LIBBPF_WARN || vasprintf(&text, format, arguments) < 0)
		return 0;
	size = strlen(text);
	if (size >= sizeof(message)) {
		memcpy(message, text + size - sizeof(message) + 1, sizeof(message));
	} else {
		size_t kept = used + size < sizeof(message) ? used : sizeof(message) - 1 - size;

		memmove(message, message + used - kept, kept);
		memcpy(message + kept, text, size + 1);
	}
	free(text);
	return 0;
}

/* Is it `const volatile bool`? */
static bool is_switch(const struct btf *btf, const struct btf_type *variable)
{
	const struct btf_type *type = variable;
	bool is_const = false, is_volatile = false;

	if (!btf_is_var(variable) || btf_var(variable)->linkage != BTF_VAR_GLOBAL_ALLOCATED)
		return false;
	do {
		type = btf__type_by_id(btf, type->type);
		is_const |= btf_is_const(type);
		is_volatile |= btf_is_volatile(type);
	} while (btf_is_mod(type) || btf_is_typedef(type));
	return is_const && is_volatile && btf_is_int(type) && btf_int_encoding(type) & BTF_INT_BOOL;
}

static int find_switches(const struct bpf_object *object, struct switches *ret)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -1;
	const struct btf_type *section;
	const struct btf_var_secinfo *place;

	ret->count = 0;
	if (id < 0)
		return 0;
	section = btf__type_by_id(btf, (__u32)id);
	place = btf_var_secinfos(section);
	for (int i = 0; i < btf_vlen(section); i++, place++) {
		const struct btf_type *variable = btf__type_by_id(btf, place->type);

		if (!is_switch(btf, variable))
			continue;
		if (ret->count == SWITCHES_MAX)
			return -ENOSPC;
		ret->list[ret->count++] = (struct switch_){
			.name = btf__name_by_offset(btf, variable->name_off),
			.offset = place->offset,
		};
	}
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && !strcmp(text + length - tail, end);
}

/* The switches of a set get another value than the one that they are compiled with. */
static int set_switches(struct bpf_object *object, const struct switches *switches, unsigned set,
			char text[TEXT_MAX])
{
	struct bpf_map *map;
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < switches->count; i++) {
		const struct switch_ *one = &switches->list[i];
		unsigned char *values = NULL;
		size_t size;

		if (!(set & 1u << i))
			continue;
		bpf_object__for_each_map(map, object) if (ends_with(bpf_map__name(map), ".rodata"))
			values = (unsigned char *)bpf_map__initial_value(map, &size);
		if (!values || one->offset >= size)
			return -ENOENT;
		values[one->offset] ^= 1;
		used += (size_t)snprintf(text + used, used < TEXT_MAX ? TEXT_MAX - used : 0, "%s%s",
					 used ? "," : "", one->name);
	}
	return 0;
}

/* What the verifier had to do for each program of a loaded object. */
static int note_programs(struct bpf_object *object, const char *with, struct programs *programs)
{
	struct bpf_program *program;
	unsigned index = 0;

	bpf_object__for_each_program(program, object)
	{
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);
		struct program *known = &programs->list[index++];

		if (index > PROGRAMS_MAX)
			return -ENOSPC;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
			return -errno;
		programs->loads++;
		if (index <= programs->count && info.verified_insns <= known->most)
			continue;
		known->most = info.verified_insns;
		snprintf(known->name, sizeof(known->name), "%s", bpf_program__name(program));
		snprintf(known->with, sizeof(known->with), "%s", with);
	}
	programs->count = index;
	return 0;
}

/* One setting: `set` has a bit for each switch that is changed. */
static int load_set(const char *path, const struct switches *switches, unsigned set,
		    struct programs *programs)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	char with[TEXT_MAX] = "";
	int r = object ? set_switches(object, switches, set, with) : -errno;

	message[0] = '\0';
	if (!r)
		r = bpf_object__load(object);
	if (!r)
		r = note_programs(object, with[0] ? with : "none", programs);
	bpf_object__close(object);
	if (r < 0)
		printf("%s with %s: %s\n%s", path, with[0] ? with : "no switch", strerror(-r),
		       message);
	return r;
}

/* None, each alone, each pair, all. */
static bool is_wanted(unsigned set, unsigned all)
{
	return __builtin_popcount(set) <= 2 || set == all;
}

static int load_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct switches switches = {};
	struct programs programs = {};
	unsigned all;
	int failed = 0;

	/* The names in `switches` are the object's. */
	if (!object || find_switches(object, &switches)) {
		printf("%s: cannot be read as a BPF object\n%s", path, message);
		bpf_object__close(object);
		return -1;
	}
	all = (1u << switches.count) - 1;
	for (unsigned set = 0; set <= all; set++)
		if (is_wanted(set, all))
			failed |= load_set(path, &switches, set, &programs);
	for (unsigned i = 0; i < programs.count; i++)
		printf("%-16s %6u instructions verified at most, with %s\n", programs.list[i].name,
		       programs.list[i].most, programs.list[i].with);
	printf("loads %lu programs %u switches %u\n", programs.loads, programs.count,
	       switches.count);
	bpf_object__close(object);
	return failed ? -1 : 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	libbpf_set_print(keep_message);
	for (int i = 1; i < argc; i++)
		failed |= load_object(argv[i]);
	return argc > 1 && !failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
