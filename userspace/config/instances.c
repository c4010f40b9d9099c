// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/instances.h"

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/str.h"

/* Where in a page the reader is, for messages: "Instances.Instance[3].EipAddress". */
struct place {
	const struct place *above;
	const char *key; /* NULL: an item of a list */
	size_t index;
};

struct reader {
	struct instances *instances;
	size_t pages;
	size_t page_items;
	json_int_t total; /* TotalCount of the last page; -1: it has none */
	struct err *err;
};

void instances_fini(struct instances *instances)
{
	vec_free(&instances->list);
	lookup_fini(&instances->by_id);
}

/* ---- the text ---- */

/* "LINE:COLUMN", in characters, of a byte. */
static int error_at(struct err *err, const char *text, size_t at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int error_at(struct err *err, const char *text, size_t at, const char *format, ...)
{
	size_t line = 1, begin = 0;
	char message[256];
	va_list arguments;

	for (size_t i = 0; i < at; i++) {
		if (text[i] != '\n')
			continue;
		line++;
		begin = i + 1;
	}
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	for (char *c = message; *c; c++) /* the parser quotes what it does not like */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return err_set(err, -EINVAL, "%zu:%zu: %s", line,
		       str_characters(text + begin, at - begin) + 1, message);
}

/* Before a byte is made into anything: how deep, and how many values. */
static int check_bounds(const char *text, size_t size, struct err *err)
{
	size_t depth = 0, values = 0;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
			continue;
		}
		quoted = c == '"';
		values += c == '{' || c == '[' || c == ',';
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth)
			depth--;
		if (depth > INSTANCES_DEPTH_MAX)
			return error_at(err, text, i, "nested deeper than %d", INSTANCES_DEPTH_MAX);
		if (values > INSTANCES_VALUES_MAX)
			return error_at(err, text, i, "more than %d values; split the file",
					INSTANCES_VALUES_MAX);
	}
	return 0;
}

/* ---- a page ---- */

static size_t print_place(const struct place *place, char *text, size_t size)
{
	size_t used = place->above ? print_place(place->above, text, size) : 0;
	int more;

	if (used >= size)
		return used;
	if (place->key)
		more = snprintf(text + used, size - used, "%s%s", used ? "." : "", place->key);
	else
		more = snprintf(text + used, size - used, "[%zu]", place->index);
	return used + more;
}

static int wrong(const struct reader *reader, const struct place *place, const char *what)
{
	char text[160] = "";

	print_place(place, text, sizeof(text));
	if (reader->pages > 1)
		return err_set(reader->err, -EINVAL, "page %zu: %s: %s", reader->pages, text, what);
	return err_set(reader->err, -EINVAL, "%s: %s", text, what);
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	default:
		return "a number";
	}
}

/* The value of place->key; NULL: there is none. -EINVAL: it is of another type. */
static int get(const struct reader *reader, const struct place *place, const json_t *object,
	       json_type type, json_t **ret)
{
	json_t *value = json_object_get(object, place->key);
	char what[64];

	*ret = json_is_null(value) ? NULL : value;
	if (!*ret || json_typeof(*ret) == type)
		return 0;
	snprintf(what, sizeof(what), "expected %s, not %s", type_name(type),
		 json_is_boolean(*ret) ? "a bool" : type_name(json_typeof(*ret)));
	return wrong(reader, place, what);
}

/* Takes the first address of its family that can serve. */
static int take_address(const struct reader *reader, const struct place *place, const json_t *value,
			struct addr ret[INSTANCES_FAMILIES])
{
	const struct addr none = {};
	struct addr addr;
	int family;

	if (!json_is_string(value))
		return wrong(reader, place, "expected a string");
	if (!json_string_length(value))
		return 0;
	if (addr_parse(json_string_value(value), &addr) < 0)
		return wrong(reader, place, "is not an IP address");
	family = addr_family(&addr) == AF_INET ? INSTANCES_IP4 : INSTANCES_IP6;
	if (!addr_is_martian(&addr) && !addr_is_link_local(&addr) &&
	    addr_equal(&ret[family], &none))
		ret[family] = addr;
	return 0;
}

/* {KEY: {"IpAddress": [...]}}; with an EIP it is one text. */
static int take_addresses(const struct reader *reader, const struct place *above, const char *key,
			  const json_t *instance, struct addr ret[INSTANCES_FAMILIES])
{
	struct place outer = { .above = above, .key = key };
	struct place inner = { .above = &outer, .key = "IpAddress" };
	struct place item = { .above = &inner };
	json_t *object, *list;
	int r = get(reader, &outer, instance, JSON_OBJECT, &object);

	list = r || !object ? NULL : json_object_get(object, inner.key);
	if (r || !list || json_is_null(list))
		return r;
	if (json_is_string(list))
		return take_address(reader, &inner, list, ret);
	r = get(reader, &inner, object, JSON_ARRAY, &list);
	for (; !r && item.index < json_array_size(list); item.index++)
		r = take_address(reader, &item, json_array_get(list, item.index), ret);
	return r;
}

/* The list in {KEY: {ITEM: [...]}}, each item to a function. */
static int each_item(struct reader *reader, const struct place *above, const char *const keys[2],
		     const json_t *from,
		     int (*function)(struct reader *reader, const struct place *place,
				     const json_t *item, struct instance *user),
		     struct instance *user)
{
	struct place outer = { .above = above, .key = keys[0] };
	struct place inner = { .above = &outer, .key = keys[1] };
	struct place item = { .above = &inner };
	json_t *object, *list = NULL;
	int r = get(reader, &outer, from, JSON_OBJECT, &object);

	if (!r && object)
		r = get(reader, &inner, object, JSON_ARRAY, &list);
	for (; !r && item.index < json_array_size(list); item.index++) {
		const json_t *value = json_array_get(list, item.index);

		r = json_is_object(value) ? function(reader, &item, value, user)
					  : wrong(reader, &item, "expected an object");
	}
	return r;
}

static int take_ip6(struct reader *reader, const struct place *above, const json_t *set,
		    struct instance *ret)
{
	struct place place = { .above = above, .key = "Ipv6Address" };
	json_t *address;
	int r = get(reader, &place, set, JSON_STRING, &address);

	return r || !address ? r : take_address(reader, &place, address, ret->own);
}

/* The first is the primary one. */
static int take_interface(struct reader *reader, const struct place *above, const json_t *interface,
			  struct instance *ret)
{
	static const char *const keys[] = { "Ipv6Sets", "Ipv6Set" };
	struct place place = { .above = above, .key = "PrimaryIpAddress" };
	json_t *address;
	int r = get(reader, &place, interface, JSON_STRING, &address);

	if (!r && address)
		r = take_address(reader, &place, address, ret->own);
	return r ?: each_item(reader, above, keys, interface, take_ip6, ret);
}

/* A text of fewer than `size` bytes, without control characters; required unless `absent`. */
static int take_text(const struct reader *reader, const struct place *above, const char *key,
		     const json_t *from, bool required, char *ret, size_t size)
{
	struct place place = { .above = above, .key = key };
	json_t *value;
	int r = get(reader, &place, from, JSON_STRING, &value);

	if (r || (!value && !required))
		return r;
	if (!value || !json_string_length(value))
		return required ? wrong(reader, &place, "is missing") : 0;
	if (json_string_length(value) >= size)
		return wrong(reader, &place, "is too long");
	for (const char *c = json_string_value(value); *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return wrong(reader, &place, "has a character that none of its kind has");
	strcpy(ret, json_string_value(value));
	return 0;
}

static uint32_t hash_of(uint8_t type, const char *id)
{
	return lookup_hash(type, id, strlen(id));
}

static int add(struct reader *reader, const struct instance *instance)
{
	struct instances *instances = reader->instances;
	int r;

	reader->page_items++;
	if (instances_find(instances, instance->type, instance->id))
		return 0;
	if (instances->list.count == INSTANCES_MAX)
		return err_set(reader->err, -EINVAL, "more than %d instances; split the file",
			       INSTANCES_MAX);
	r = vec_push(&instances->list, *instance);
	r = r
		    ?: lookup_add(&instances->by_id, hash_of(instance->type, instance->id),
				  instances->list.count - 1);
	return r ? err_set(reader->err, -ENOMEM, "out of memory") : 0;
}

static int read_ecs(struct reader *reader, const struct place *place, const json_t *from,
		    struct instance *user)
{
	static const char *const interfaces[] = { "NetworkInterfaces", "NetworkInterface" };
	struct instance instance = { .type = TYPE_ECS };
	struct place vpc = { .above = place, .key = "VpcAttributes" };
	json_t *attributes = NULL;
	int r;

	(void)user;
	r = take_text(reader, place, "InstanceId", from, true, instance.id, sizeof(instance.id));
	r = r
		    ?: take_text(reader, place, "Status", from, false, instance.status,
				 sizeof(instance.status));
	r = r ?: get(reader, &vpc, from, JSON_OBJECT, &attributes);
	if (!r && attributes)
		r = take_addresses(reader, &vpc, "PrivateIpAddress", attributes, instance.own);
	r = r ?: take_addresses(reader, place, "InnerIpAddress", from, instance.own);
	r = r ?: each_item(reader, place, interfaces, from, take_interface, &instance);
	r = r ?: take_addresses(reader, place, "EipAddress", from, instance.open);
	r = r ?: take_addresses(reader, place, "PublicIpAddress", from, instance.open);
	instance.serves = !*instance.status || !strcmp(instance.status, "Running");
	return r ?: add(reader, &instance);
}

static int read_slb(struct reader *reader, const struct place *place, const json_t *from,
		    struct instance *user)
{
	struct place address = { .above = place, .key = "Address" };
	struct instance instance = { .type = TYPE_SLB };
	json_t *value = NULL;
	int r;

	(void)user;
	r = take_text(reader, place, "LoadBalancerId", from, true, instance.id,
		      sizeof(instance.id));
	r = r
		    ?: take_text(reader, place, "LoadBalancerStatus", from, false, instance.status,
				 sizeof(instance.status));
	r = r ?: get(reader, &address, from, JSON_STRING, &value);
	if (!r && value)
		r = take_address(reader, &address, value, instance.own);
	instance.serves = !*instance.status || !strcmp(instance.status, "active");
	return r ?: add(reader, &instance);
}

static int read_page(struct reader *reader, const json_t *page)
{
	static const char *const ecs[] = { "Instances", "Instance" };
	static const char *const slb[] = { "LoadBalancers", "LoadBalancer" };
	struct place total = { .key = "TotalCount" }, code = { .key = "Code" };
	json_t *value = NULL;
	int r;

	reader->pages++;
	reader->page_items = 0;
	reader->total = -1;
	if (!json_object_get(page, ecs[0]) && !json_object_get(page, slb[0])) {
		value = json_object_get(page, code.key);
		if (json_is_string(value))
			return wrong(reader, &code, "this is an error that aliyun has printed");
		return err_set(reader->err, -EINVAL,
			       "page %zu has neither Instances nor LoadBalancers: is it what "
			       "'aliyun ecs DescribeInstances' or 'aliyun slb "
			       "DescribeLoadBalancers' prints?",
			       reader->pages);
	}
	r = each_item(reader, NULL, ecs, page, read_ecs, NULL);
	r = r ?: each_item(reader, NULL, slb, page, read_slb, NULL);
	r = r ?: get(reader, &total, page, JSON_INTEGER, &value);
	if (!r && value)
		reader->total = json_integer_value(value);
	return r;
}

/* A page, or an array of them. */
static int read_document(struct reader *reader, const json_t *root)
{
	const json_t *page;
	size_t i;
	int r = 0;

	if (!json_is_array(root))
		return read_page(reader, root);
	json_array_foreach(root, i, page)
		r = r ?: read_page(reader, page);
	return r;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int read_documents(struct reader *reader, const char *text, size_t size)
{
	size_t at = 0;
	int r = 0;

	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		at = 3;
	while (!r) {
		_cleanup_(json_decrefp) json_t *root = NULL;
		json_error_t why;

		while (at < size && is_blank(text[at]))
			at++;
		if (at == size)
			break;
		root = json_loadb(text + at, size - at,
				  JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &why);
		if (!root) {
			size_t wrong_at = why.position > 0 ? at + why.position - 1 : at;

			return error_at(reader->err, text, wrong_at < size ? wrong_at : size,
					"is no JSON: %s", why.text);
		}
		at += why.position;
		r = read_document(reader, root);
	}
	return r;
}

int instances_parse(const char *text, size_t size, struct instances *ret, struct err *err)
{
	_cleanup_(instances_fini) struct instances instances = {};
	struct reader reader = { .instances = &instances, .err = err };
	int r;

	if (size > INSTANCES_SIZE_MAX)
		return err_set(err, -EINVAL, "is larger than %u MiB; split the file",
			       INSTANCES_SIZE_MAX >> 20);
	r = check_bounds(text, size, err);
	r = r ?: read_documents(&reader, text, size);
	if (r < 0)
		return r;
	if (!reader.pages)
		return err_set(err, -EINVAL, "is empty");
	if (reader.pages == 1 && reader.total > (json_int_t)reader.page_items)
		instances.missing = reader.total - reader.page_items;
	*ret = instances;
	instances = (struct instances){};
	return 0;
}

const struct instance *instances_find(const struct instances *instances, uint8_t type,
				      const char *id)
{
	lookup_foreach(item, &instances->by_id, hash_of(type, id)) {
		const struct instance *instance = &instances->list.items[item];

		if (instance->type == type && !strcmp(instance->id, id))
			return instance;
	}
	return NULL;
}

const struct addr *instances_address(const struct instance *instance, enum instances_family family,
				     bool prefer_public)
{
	const struct addr *own = &instance->own[family], *open = &instance->open[family];
	const struct addr none = {};
	const struct addr *first = prefer_public ? open : own, *second = prefer_public ? own : open;

	if (!addr_equal(first, &none))
		return first;
	return addr_equal(second, &none) ? NULL : second;
}
