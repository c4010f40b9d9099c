// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "config/value_http.h"
#include "util/str.h"

/* A number of more digits is out of every range, and would overflow. */
#define DIGITS_MAX 15

/* How far ahead of its pace a rate may let anybody get; the data plane counts microseconds. */
#define RATE_BURST_SECONDS 3600

/* What is being read, and where a refusal goes. */
struct reading {
	const struct schema_key *key;
	const char *text;
	struct err *err;
	/* Filled for a refusal, by the functions of their names: most values are right. */
	char quoted[STR_QUOTE_MAX];
	char allowed[VALUE_ALLOWED_MAX];
};

static const char *quoted(struct reading *reading)
{
	return str_quote(reading->text, strlen(reading->text), reading->quoted);
}

/* "" of types to which everything is allowed. */
static const char *allowed(struct reading *reading)
{
	const struct schema_key *key = reading->key;

	return key->type == SCHEMA_CHOICE || key->max ? value_allowed(key, reading->allowed) : "";
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t count_digits(const char *text)
{
	size_t count = 0;

	while (is_digit(text[count]))
		count++;
	return count;
}

static void allow_choices(const struct schema_key *key, char ret[VALUE_ALLOWED_MAX])
{
	size_t size = 0;

	ret[0] = '\0';
	for (const struct schema_choice *choice = key->choices; choice->name; choice++) {
		int length = snprintf(ret + size, VALUE_ALLOWED_MAX - size, "%s%s",
				      size ? ", " : "", choice->name);

		if (length < 0 || (size += length) >= VALUE_ALLOWED_MAX)
			return;
	}
}

/* In whole days, hours, seconds or ms. Returns `text`. */
static const char *print_time(long long ms, char text[24])
{
	if (ms % 1000)
		snprintf(text, 24, "%lldms", ms);
	else if (!ms || ms % 3600000)
		snprintf(text, 24, "%llds", ms / 1000);
	else if (ms % 86400000)
		snprintf(text, 24, "%lldh", ms / 3600000);
	else
		snprintf(text, 24, "%lldd", ms / 86400000);
	return text;
}

const char *value_allowed(const struct schema_key *key, char ret[VALUE_ALLOWED_MAX])
{
	long long min = key->min, max = key->max;
	char from[24], to[24];

	if (key->type == SCHEMA_CHOICE)
		allow_choices(key, ret);
	else if (key->type == SCHEMA_DURATION || key->type == SCHEMA_SPAN)
		snprintf(ret, VALUE_ALLOWED_MAX, "%s to %s", print_time(min, from),
			 print_time(max, to));
	else if (min == max)
		snprintf(ret, VALUE_ALLOWED_MAX, "%lld", min);
	else
		snprintf(ret, VALUE_ALLOWED_MAX, "%lld to %lld", min, max);
	return ret;
}

/* Strictly decimal, `size` characters of digits already seen to be digits. */
static int read_digits(struct reading *reading, const char *digits, size_t size, int64_t *ret)
{
	int64_t number = 0;

	if (size > 1 && digits[0] == '0')
		return err_set(reading->err, -EINVAL,
			       "%s '%s': write the number without a leading 0; allowed: %s",
			       reading->key->name, quoted(reading), allowed(reading));
	for (size_t i = 0; i < size; i++)
		number = i < DIGITS_MAX ? number * 10 + (digits[i] - '0') : INT64_MAX;
	*ret = number;
	return 0;
}

static int out_of_range(struct reading *reading)
{
	return err_set(reading->err, -EINVAL, "%s '%s' is out of range; allowed: %s",
		       reading->key->name, quoted(reading), allowed(reading));
}

static int not_a_number(struct reading *reading, const char *what)
{
	return err_set(reading->err, -EINVAL, "%s '%s' is not %s; allowed: %s", reading->key->name,
		       quoted(reading), what, allowed(reading));
}

static int read_number(struct reading *reading, union value *ret)
{
	const char *digits = reading->text + (reading->text[0] == '-');
	size_t size = count_digits(digits);
	int64_t number;
	int r;

	if (!size || digits[size])
		return not_a_number(reading, "a whole number in plain digits");
	if (digits != reading->text)
		return out_of_range(reading);
	r = read_digits(reading, digits, size, &number);
	if (r < 0)
		return r;
	if (number < reading->key->min || number > reading->key->max)
		return out_of_range(reading);
	ret->number = number;
	return 0;
}

static int read_ports(struct reading *reading, union value *ret)
{
	size_t first_size = count_digits(reading->text);
	const char *second = reading->text + first_size + 1;
	int64_t first, last;
	int r;

	if (!first_size || reading->text[first_size] != '-') {
		r = read_number(reading, ret);
		if (r < 0)
			return r;
		first = ret->number;
		ret->ports = (struct port_range){ .first = first, .last = first };
		return 0;
	}
	if (!count_digits(second) || second[count_digits(second)])
		return not_a_number(reading, "a port or a range like 7000-7099");
	r = read_digits(reading, reading->text, first_size, &first);
	if (r < 0)
		return r;
	r = read_digits(reading, second, count_digits(second), &last);
	if (r < 0)
		return r;
	if (first < reading->key->min || last > reading->key->max)
		return out_of_range(reading);
	if (first > last)
		return err_set(
			reading->err, -EINVAL,
			"port range '%s' ends before it begins; write the smaller port first",
			quoted(reading));
	ret->ports = (struct port_range){ .first = first, .last = last };
	return 0;
}

static int64_t unit_in_ms(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = { { "", 1000 },   { "ms", 1 },	{ "s", 1000 },
		      { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ms;
	return 0;
}

/* `size` characters of digits and a unit; `like` is what the whole should look like. */
static int read_time(struct reading *reading, const char *text, size_t size, const char *like,
		     int64_t *ret)
{
	size_t digits = count_digits(text);
	int64_t unit, number;
	char name[4] = "";
	int r;

	if (digits && digits <= size && size - digits < sizeof(name))
		memcpy(name, text + digits, size - digits);
	unit = unit_in_ms(name);
	if (!digits || digits + strlen(name) != size || !unit)
		return not_a_number(reading, like);
	r = read_digits(reading, text, digits, &number);
	if (r < 0)
		return r;
	if (number > reading->key->max)
		return out_of_range(reading);
	number *= unit;
	if ((reading->key->flags & SCHEMA_SECONDS) && number % 1000)
		return not_a_number(reading, "in whole seconds");
	if (number < reading->key->min || number > reading->key->max)
		return out_of_range(reading);
	*ret = number;
	return 0;
}

static int read_duration(struct reading *reading, union value *ret)
{
	return read_time(reading, reading->text, strlen(reading->text),
			 "a duration like 500ms, 2s, 10m, 1h or 1d", &ret->number);
}

static int read_span(struct reading *reading, union value *ret)
{
	static const char like[] = "two durations like 10s-900s";
	size_t size = strcspn(reading->text, "-");
	const char *last = reading->text + size + 1;
	int64_t from, to;
	int r;

	if (!reading->text[size])
		return not_a_number(reading, like);
	r = read_time(reading, reading->text, size, like, &from);
	r = r ?: read_time(reading, last, strlen(last), like, &to);
	if (r < 0)
		return r;
	if (from > to)
		return err_set(reading->err, -EINVAL,
			       "%s '%s' ends before it begins; write the shorter duration first",
			       reading->key->name, quoted(reading));
	ret->span.from = from;
	ret->span.to = to;
	return 0;
}

static int read_bool(struct reading *reading, union value *ret)
{
	if (strcmp(reading->text, "true") && strcmp(reading->text, "false"))
		return err_set(reading->err, -EINVAL, "%s '%s' must be true or false",
			       reading->key->name, quoted(reading));
	ret->number = reading->text[0] == 't';
	return 0;
}

static int read_choice(struct reading *reading, union value *ret)
{
	struct str_nearest nearest = { .word = reading->text };

	for (const struct schema_choice *choice = reading->key->choices; choice->name; choice++) {
		if (!strcmp(choice->name, reading->text)) {
			ret->number = choice->value;
			return 0;
		}
		str_nearest_offer(&nearest, choice->name);
	}
	if (nearest.best)
		return err_set(reading->err, -EINVAL,
			       "unknown %s '%s'; did you mean '%s'? allowed: %s",
			       reading->key->name, quoted(reading), nearest.best, allowed(reading));
	return err_set(reading->err, -EINVAL, "unknown %s '%s'; allowed: %s", reading->key->name,
		       quoted(reading), allowed(reading));
}

static int read_name(struct reading *reading, union value *ret)
{
	const char *text = reading->text;
	size_t size = 0;

	(void)ret;
	while (is_letter(text[size]) ||
	       (size && (is_digit(text[size]) || (text[size] && strchr("._-", text[size])))))
		size++;
	if (!text[size] && size < WEIR_NAME_MAX)
		return 0;
	return err_set(reading->err, -EINVAL,
		       "%s '%s' must begin with a letter and go on with letters, digits, '.', "
		       "'_' or '-', at most %u in all",
		       reading->key->name, quoted(reading), WEIR_NAME_MAX - 1);
}

/* What the kernel accepts (dev_valid_name()), and ':' only in what is no alias. */
static int read_interface(struct reading *reading, union value *ret)
{
	const char *text = reading->text;
	size_t size = strlen(text);
	bool valid = size < IFNAMSIZ && strcmp(text, ".") && strcmp(text, "..");

	(void)ret;
	for (size_t i = 0; i < size; i++)
		valid &= !strchr("/:", text[i]) && (unsigned char)text[i] > ' ' && text[i] != 0x7f;
	if (valid)
		return 0;
	return err_set(reading->err, -EINVAL,
		       "'%s' is not a name of an interface: at most %d characters, without "
		       "blanks, '/' and ':'",
		       quoted(reading), IFNAMSIZ - 1);
}

static int read_path(struct reading *reading, union value *ret)
{
	const char *text = reading->text;
	bool valid = text[0] == '/' && strlen(text) < PATH_MAX;

	(void)ret;
	for (; *text; text++)
		valid &= (unsigned char)*text >= ' ' && *text != 0x7f;
	if (valid)
		return 0;
	return err_set(reading->err, -EINVAL,
		       "%s '%s' is not the path of a file; write it from the root on, as in "
		       "/etc/weir/FILE",
		       reading->key->name, quoted(reading));
}

static int read_country(struct reading *reading, union value *ret)
{
	const char *text = reading->text;

	(void)ret;
	if (strlen(text) == 2 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2)
		return 0;
	return err_set(reading->err, -EINVAL,
		       "%s '%s' is not a country; write its two capital letters, as in DE",
		       reading->key->name, quoted(reading));
}

static bool looks_like_host(const char *text)
{
	bool letter = false;

	if (strpbrk(text, ":/[]%"))
		return false;
	for (; *text; text++)
		letter |= is_letter(*text);
	return letter;
}

static int not_an_address(struct reading *reading)
{
	const char *why = "";

	if (looks_like_host(reading->text))
		why = "; a name cannot stand here, an IP address is needed";
	else if (strchr(reading->text, '/'))
		why = "; write a single address, not a prefix";
	else if (strchr(reading->text, '%'))
		why = "; an address with a zone cannot be used";
	else if (strchr(reading->text, '['))
		why = "; write it without brackets, and a port under 'port:'";
	else if (strchr(reading->text, '.') && strchr(reading->text, ':'))
		why = "; write a port under 'port:'";
	return err_set(reading->err, -EINVAL, "%s '%s' is not an IP address%s", reading->key->name,
		       quoted(reading), why);
}

static int read_address(struct reading *reading, union value *ret)
{
	struct addr addr;

	if (addr_parse(reading->text, &addr) < 0)
		return not_an_address(reading);
	if (addr_is_martian(&addr))
		return err_set(reading->err, -EINVAL,
			       "%s '%s' cannot be used: it is an unspecified, loopback, multicast "
			       "or broadcast address",
			       reading->key->name, quoted(reading));
	ret->addr = addr;
	return 0;
}

static int read_network(struct reading *reading, union value *ret)
{
	struct addr_prefix prefix;
	char meant[ADDR_PREFIX_MAX];
	int r = addr_prefix_parse(reading->text, &prefix);

	if (r == -ERANGE)
		return err_set(reading->err, -EINVAL,
			       "'%s' has bits beyond the prefix; write %s, or the address alone",
			       quoted(reading), addr_prefix_print(&prefix, meant));
	if (r < 0)
		return err_set(reading->err, -EINVAL,
			       "'%s' is neither a prefix like 192.0.2.0/24 nor an IP address",
			       quoted(reading));
	ret->prefix = prefix;
	return 0;
}

static int read_prefix(struct reading *reading, union value *ret)
{
	int r = read_network(reading, ret);

	if (r < 0)
		return r;
	if (addr_is_martian(&ret->prefix.addr))
		return err_set(reading->err, -EINVAL,
			       "%s '%s' cannot be used: it is an unspecified, loopback, multicast "
			       "or broadcast address",
			       reading->key->name, quoted(reading));
	return 0;
}

static int not_a_rate(struct reading *reading)
{
	return err_set(
		reading->err, -EINVAL,
		"%s '%s' is not a rate; write 100/s or 30/m, and perhaps how many may come at "
		"once: 100/s burst 200",
		reading->key->name, quoted(reading));
}

/* The number at *at, which moves behind it. */
static int read_count(struct reading *reading, const char **at, uint32_t *ret)
{
	size_t size = count_digits(*at);
	int64_t number;
	int r;

	if (!size)
		return not_a_rate(reading);
	r = read_digits(reading, *at, size, &number);
	if (r < 0)
		return r;
	if (number < reading->key->min || number > reading->key->max)
		return out_of_range(reading);
	*at += size;
	*ret = number;
	return 0;
}

/* Moves *at behind the blanks there; false if there are none. */
static bool skip_blanks(const char **at)
{
	size_t blanks = strspn(*at, " ");

	*at += blanks;
	return blanks;
}

/* What follows a rate: nothing, or "burst N". */
static int read_burst(struct reading *reading, const char *at, struct rate *rate)
{
	static const char word[] = "burst";
	int r;

	rate->burst = rate->count;
	if (!*at)
		return 0;
	if (!skip_blanks(&at) || strncmp(at, word, strlen(word)))
		return not_a_rate(reading);
	at += strlen(word);
	if (!skip_blanks(&at))
		return not_a_rate(reading);
	r = read_count(reading, &at, &rate->burst);
	if (r < 0)
		return r;
	return *at ? not_a_rate(reading) : 0;
}

static int read_rate(struct reading *reading, union value *ret)
{
	const char *at = reading->text;
	struct rate rate;
	int r;

	r = read_count(reading, &at, &rate.count);
	if (r < 0)
		return r;
	if (at[0] != '/' || (at[1] != 's' && at[1] != 'm'))
		return not_a_rate(reading);
	rate.seconds = at[1] == 's' ? 1 : 60;
	r = read_burst(reading, at + 2, &rate);
	if (r < 0)
		return r;
	if ((uint64_t)rate.burst * rate.seconds > (uint64_t)rate.count * RATE_BURST_SECONDS)
		return err_set(reading->err, -EINVAL,
			       "%s '%s': a burst is at most what the rate lets through in an hour",
			       reading->key->name, quoted(reading));
	ret->rate = rate;
	return 0;
}

#define TARGET_MAX 1024 /* bytes */

/* RFC 9112, section 3.2.1: what a request line can carry. */
static int read_target(struct reading *reading, union value *ret)
{
	const char *text = reading->text;

	(void)ret;
	if (*text != '/')
		return err_set(reading->err, -EINVAL, "%s '%s' must begin with '/'",
			       reading->key->name, quoted(reading));
	if (strlen(text) > TARGET_MAX)
		return err_set(reading->err, -EINVAL, "%s '%s' is longer than %d characters",
			       reading->key->name, quoted(reading), TARGET_MAX);
	for (; *text; text++)
		if (*text <= ' ' || *text > '~' || *text == '#')
			return err_set(reading->err, -EINVAL,
				       "%s '%s' has a character that a request cannot carry: "
				       "write blanks and the like as %%20",
				       reading->key->name, quoted(reading));
	return 0;
}

static int read_server(struct reading *reading, union value *ret)
{
	struct addr address;

	(void)ret;
	if (addr_is_host_name(reading->text) || !addr_parse(reading->text, &address))
		return 0;
	return err_set(reading->err, -EINVAL, "%s '%s' is neither a host's name nor an IP address",
		       reading->key->name, quoted(reading));
}

/* Without an address: a name. */
static int read_endpoint_address(struct reading *reading, union value *ret)
{
	struct addr addr;

	if (addr_is_host_name(reading->text)) {
		ret->addr = (struct addr){};
		return 0;
	}
	if (!read_address(reading, ret))
		return 0;
	if (!strpbrk(reading->text, ":/[]%") && addr_parse(reading->text, &addr) < 0)
		err_set(reading->err, -EINVAL, "%s '%s' is neither an IP address nor a name in DNS",
			reading->key->name, quoted(reading));
	return -EINVAL;
}

static bool is_port(const char *text);

/* Of this host: loopback and "any" are as good as others. */
static int read_listen(struct reading *reading, union value *ret)
{
	const char *text = reading->text, *colon = strrchr(text, ':');
	char address[ADDR_TEXT_MAX] = "";
	bool brackets = text[0] == '[';
	size_t size = colon ? colon - text : 0;

	if (brackets && size >= 2 && text[size - 1] == ']') {
		text++;
		size -= 2;
	}
	if (colon && size < sizeof(address))
		memcpy(address, text, size);
	if (brackets != !!strchr(address, ':') || addr_parse(address, &ret->listen.address) < 0 ||
	    !is_port(colon + 1))
		return err_set(
			reading->err, -EINVAL,
			"%s '%s' is not ADDRESS:PORT, as in 127.0.0.1:9700 or \"[::1]:9700\"",
			reading->key->name, quoted(reading));
	ret->listen.port = strtoul(colon + 1, NULL, 10);
	return 0;
}

static bool is_port(const char *text)
{
	uint32_t port = 0;

	for (; *text >= '0' && *text <= '9' && port <= 65535; text++)
		port = port * 10 + (*text - '0');
	return !*text && port && port <= 65535;
}

/* "10.0.0.1:80", "[2001:db8::1]", "example.com:8080" */
static bool is_authority(const char *text)
{
	const char *colon = strrchr(text, ':');
	bool bracketed = *text == '[';
	char host[ADDR_HOST_MAX + 3];
	size_t size = strlen(text);
	struct addr address;

	if (colon && (!bracketed || colon[-1] == ']')) {
		if (!is_port(colon + 1))
			return false;
		size = colon - text;
	}
	if (size >= sizeof(host))
		return false;
	memcpy(host, text, size);
	host[size] = '\0';
	if (!bracketed)
		return addr_is_host_name(host) ||
		       (!addr_parse(host, &address) && addr_family(&address) == AF_INET);
	if (host[size - 1] != ']')
		return false;
	host[size - 1] = '\0';
	return !addr_parse(host + 1, &address) && addr_family(&address) == AF_INET6;
}

static int read_authority(struct reading *reading, union value *ret)
{
	(void)ret;
	if (is_authority(reading->text))
		return 0;
	return err_set(reading->err, -EINVAL,
		       "%s '%s' is no host: write a name or an address (IPv6 in [ ]), and perhaps "
		       ":PORT",
		       reading->key->name, quoted(reading));
}

static int read_http(struct reading *reading, union value *ret)
{
	int r = value_http_check(reading->key, reading->text, reading->err);

	if (!r && reading->key->type == SCHEMA_STATUS)
		ret->number = atoi(reading->text);
	return r;
}

static int no_value(struct reading *reading)
{
	bool list = reading->key->type == SCHEMA_CHOICE ||
		    (reading->key->max && reading->key->type < SCHEMA_TEXT);

	return err_set(reading->err, -EINVAL, "%s has no value%s%s", reading->key->name,
		       list ? "; allowed: " : "", list ? allowed(reading) : "");
}

int value_read(const struct schema_key *key, const char *text, union value *ret, struct err *err)
{
	static int (*const readers[])(struct reading *, union value *) = {
		[SCHEMA_NAME] = read_name,
		[SCHEMA_INTERFACE] = read_interface,
		[SCHEMA_NUMBER] = read_number,
		[SCHEMA_ADDRESS] = read_address,
		[SCHEMA_BOOL] = read_bool,
		[SCHEMA_CHOICE] = read_choice,
		[SCHEMA_PORTS] = read_ports,
		[SCHEMA_DURATION] = read_duration,
		[SCHEMA_NETWORK] = read_network,
		[SCHEMA_PREFIX] = read_prefix,
		[SCHEMA_RATE] = read_rate,
		[SCHEMA_SPAN] = read_span,
		[SCHEMA_PATH] = read_path,
		[SCHEMA_COUNTRY] = read_country,
		[SCHEMA_TARGET] = read_target,
		[SCHEMA_AUTHORITY] = read_authority,
		[SCHEMA_LISTEN] = read_listen,
		[SCHEMA_SERVER] = read_server,
		[SCHEMA_ENDPOINT_ADDRESS] = read_endpoint_address,
	};
	struct reading reading;

	reading.key = key;
	reading.text = text;
	reading.err = err;
	if (!*text && !(key->flags & SCHEMA_EMPTY))
		return no_value(&reading);
	return key->type < SCHEMA_MAP ? readers[key->type](&reading, ret)
				      : read_http(&reading, ret);
}
