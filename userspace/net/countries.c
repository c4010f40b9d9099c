// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/countries.h"

#include <errno.h>
#include <maxminddb.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/lookup.h"
#include "util/vec.h"

#define SIZE_MAX_BYTES (512u << 20) /* of a file */
#define IP4_DEPTH      96	    /* bits before an IPv4 address in the tree */

/* What an entry of the data says, by where it is: thousands of prefixes share one. */
struct known {
	uint32_t offset;
	struct country country;
};

struct walk {
	const MMDB_s *db;
	int (*each)(const struct addr_prefix *prefix, const struct country *country, void *user);
	void *user;
	VEC(struct known) known;
	struct lookup by_offset;
	uint32_t visits; /* of nodes: each is visited once, unless the file is damaged */
};

static void walk_fini(struct walk *walk)
{
	vec_free(&walk->known);
	lookup_fini(&walk->by_offset);
}

/* Two capital letters, or none. */
static void read_code(MMDB_entry_s *entry, const char *map, const char *key, char ret[3])
{
	MMDB_entry_data_s data;

	if (MMDB_get_value(entry, &data, map, key, NULL) != MMDB_SUCCESS || !data.has_data ||
	    data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
		return;
	memcpy(ret, data.utf8_string, 2);
}

/* Of where an address is used, or else of who has it. */
static const struct country *read_entry(struct walk *walk, MMDB_entry_s *entry)
{
	struct known fresh = { .offset = entry->offset };
	uint32_t hash = lookup_hash(0, &fresh.offset, sizeof(fresh.offset));

	lookup_foreach(item, &walk->by_offset, hash) {
		if (walk->known.items[item].offset == entry->offset)
			return &walk->known.items[item].country;
	}
	read_code(entry, "country", "iso_code", fresh.country.country);
	if (!fresh.country.country[0])
		read_code(entry, "registered_country", "iso_code", fresh.country.country);
	read_code(entry, "continent", "code", fresh.country.continent);
	if (vec_push(&walk->known, fresh) ||
	    lookup_add(&walk->by_offset, hash, walk->known.count - 1))
		return NULL;
	return &walk->known.items[walk->known.count - 1].country;
}

/* A branch of the tree: the bits that lead there. */
struct branch {
	struct addr addr;
	unsigned depth;
	bool ip4; /* below the root of IPv4 */
};

static int found(struct walk *walk, const struct branch *branch, MMDB_entry_s *entry)
{
	struct addr_prefix prefix = { .addr = branch->addr, .bits = branch->depth };
	const struct country *country = read_entry(walk, entry);

	if (!country)
		return -ENOMEM;
	if (!country->country[0] && !country->continent[0])
		return 0;
	/* What lies at ::ffff:0:0/96 is IPv4 once more. */
	if ((addr_family(&prefix.addr) == AF_INET) != branch->ip4)
		return 0;
	return walk->each(&prefix, country, walk->user);
}

static int walk_node(struct walk *walk, uint32_t node, const struct branch *branch);

static int walk_record(struct walk *walk, uint64_t record, uint8_t type, MMDB_entry_s *entry,
		       const struct branch *branch)
{
	const MMDB_ipv4_start_node_s *ip4 = &walk->db->ipv4_start_node;
	bool has_ip4 = walk->db->metadata.ip_version == 6 && ip4->netmask == IP4_DEPTH;
	struct branch below = *branch;

	switch (type) {
	case MMDB_RECORD_TYPE_EMPTY:
		return 0;
	case MMDB_RECORD_TYPE_DATA:
		return found(walk, branch, entry);
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		break;
	default:
		return -EINVAL;
	}
	if (branch->depth == 128)
		return -EINVAL;
	/* IPv4 is at ::/96, and under other names at other places: 6to4, Teredo, v4-mapped. */
	if (has_ip4 && record == ip4->node_value && !branch->ip4) {
		static const struct addr zero = {};

		if (branch->depth != IP4_DEPTH || !addr_equal(&branch->addr, &zero))
			return 0;
		below.ip4 = true;
		below.addr.bytes[10] = below.addr.bytes[11] = 0xff;
	}
	return walk_node(walk, record, &below);
}

static int walk_node(struct walk *walk, uint32_t node, const struct branch *branch)
{
	struct branch left = *branch, right = *branch;
	MMDB_search_node_s records;
	int r;

	if (walk->visits++ > walk->db->metadata.node_count ||
	    MMDB_read_node(walk->db, node, &records) != MMDB_SUCCESS)
		return -EINVAL;
	left.depth++;
	right.depth++;
	right.addr.bytes[branch->depth / 8] |= 0x80 >> branch->depth % 8;
	r = walk_record(walk, records.left_record, records.left_record_type,
			&records.left_record_entry, &left);
	return r
		       ?: walk_record(walk, records.right_record, records.right_record_type,
				      &records.right_record_entry, &right);
}

/* A copy that stays as it is, whoever writes to the file: the library maps it. */
static int copy_file(const char *path, int *ret, struct err *err)
{
	_cleanup_(freep) char *data = NULL;
	_cleanup_(closep) int copy = -1;
	size_t size = 0, written = 0;
	int r = file_read(path, SIZE_MAX_BYTES, &data, &size);

	if (r == -EFBIG)
		return err_set(err, r, "is larger than %u MiB", SIZE_MAX_BYTES >> 20);
	if (r < 0)
		return err_set(err, r, "%s", file_error(r));
	copy = memfd_create("countries", MFD_CLOEXEC);
	if (copy < 0)
		return err_set(err, -errno, "memfd_create: %s", strerror(errno));
	while (written < size) {
		ssize_t more = write(copy, data + written, size - written);

		if (more < 0)
			return err_set(err, -errno, "cannot be copied: %s", strerror(errno));
		written += (size_t)more;
	}
	*ret = take_fd(&copy);
	return 0;
}

static int walk_all(const MMDB_s *db, struct walk *walk, struct err *err)
{
	struct branch root = {};
	int r;

	walk->db = db;
	if (db->metadata.ip_version == 4) {
		root = (struct branch){ .depth = IP4_DEPTH, .ip4 = true };
		root.addr.bytes[10] = root.addr.bytes[11] = 0xff;
	}
	r = walk_node(walk, 0, &root);
	if (r == -EINVAL)
		return err_set(err, r, "is damaged");
	if (!r && !walk->known.count)
		return err_set(err, -EINVAL,
			       "knows no countries; a database of countries or cities is needed");
	return r;
}

int countries_each(const char *path,
		   int each(const struct addr_prefix *prefix, const struct country *country,
			    void *user),
		   void *user, struct err *err)
{
	_cleanup_(walk_fini) struct walk walk = { .each = each, .user = user };
	_cleanup_(closep) int copy = -1;
	char name[32];
	MMDB_s db;
	int r = copy_file(path, &copy, err), opened;

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", copy);
	opened = MMDB_open(name, MMDB_MODE_MMAP, &db);
	if (opened != MMDB_SUCCESS)
		return err_set(err, -EINVAL, "is no MaxMind DB, or a damaged one: %s",
			       MMDB_strerror(opened));
	r = walk_all(&db, &walk, err);
	MMDB_close(&db);
	return r == -ENOMEM ? err_set(err, r, "out of memory") : r;
}
