// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* explain: what the data plane would do with a packet, stage by stage; nothing is sent or written.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/explain_http.h"
#include "cli/explain_step.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/table.h"
#include "dataplane/explain.h"
#include "net/frame.h"
#include "net/nl.h"
#include "util/str.h"

#define CHOSEN_PORT 49152 /* RFC 6335: the first that belongs to nobody */
#define SYNTAX	    "10.0.0.1:80 or [2001:db8::1]:80"

/* What was asked. */
struct question {
	struct frame_spec packet;
	bool established;
	bool syn;
	const char *interface; /* NULL: not said */
	char ingress[16];
	uint32_t ifindex;
	struct explain_http_question http;
};

struct asked {
	struct object *object;
	struct plan *plan;
	struct question question;
	struct explain_answer answer;
};

/* ---- arguments ---- */

static int parse_port(const char *text, const char *of, uint16_t *ret, struct err *err)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port < 1 || port > 65535)
		return err_set(err, CLI_USAGE, "explain: %.60s: '%.20s' is no port: 1 to 65535", of,
			       text);
	*ret = (uint16_t)port;
	return 0;
}

/* ADDRESS, ADDRESS:PORT, [ADDRESS]:PORT; without a port *ret_port stays as it is. */
static int parse_end(const char *text, struct addr *ret, uint16_t *ret_port, struct err *err)
{
	char address[ADDR_TEXT_MAX] = "";
	const char *close = strchr(text, ']'), *colon = strchr(text, ':'), *port = NULL;
	size_t size = strlen(text);

	if (text[0] == '[' && close && (close[1] == ':' || !close[1])) {
		port = close[1] ? close + 2 : NULL;
		size = (size_t)(close - text) - 1;
		text++;
	} else if (colon && !strchr(colon + 1, ':')) {
		port = colon + 1;
		size = (size_t)(colon - text);
	}
	if (size < sizeof(address))
		memcpy(address, text, size);
	if (addr_parse(address, ret))
		return err_set(err, CLI_USAGE, "explain: '%.60s' is no address: write " SYNTAX,
			       text);
	return port ? parse_port(port, text, ret_port, err) : 0;
}

static int parse_protocol(const char *text, uint8_t *ret, struct err *err)
{
	struct str_nearest nearest = { .word = text };

	if (!strcmp(text, "tcp") || !strcmp(text, "udp")) {
		*ret = text[0] == 't' ? IPPROTO_TCP : IPPROTO_UDP;
		return 0;
	}
	str_nearest_offer(&nearest, "tcp");
	str_nearest_offer(&nearest, "udp");
	return err_set(err, CLI_USAGE, "explain: unknown protocol '%.20s'%s%s%s; it is tcp or udp",
		       text, nearest.best ? "; did you mean '" : "", nearest.best ?: "",
		       nearest.best ? "'?" : "");
}

/* The words that are no options: SRC, DST and the protocol. */
static int parse_words(const char *const words[3], size_t count, struct question *question,
		       struct err *err)
{
	struct frame_spec *packet = &question->packet;
	int r;

	if (count < 2)
		return err_set(err, CLI_USAGE,
			       "explain: say from where to where, for example: weir explain "
			       "198.51.100.7:40000 192.0.2.10:80 tcp");
	packet->sport = CHOSEN_PORT;
	r = parse_end(words[0], &packet->src, &packet->sport, err);
	r = r ?: parse_end(words[1], &packet->dst, &packet->dport, err);
	if (!r && count > 2)
		r = parse_protocol(words[2], &packet->protocol, err);
	if (r)
		return r;
	if (!packet->dport)
		return err_set(err, CLI_USAGE, "explain: %.60s: to which port? write " SYNTAX,
			       words[1]);
	if (addr_family(&packet->src) != addr_family(&packet->dst))
		return err_set(err, CLI_USAGE,
			       "explain: %.60s and %.60s are not of one address family", words[0],
			       words[1]);
	return 0;
}

static int check_http(const struct question *question, struct err *err)
{
	if (!question->http.line && (question->http.count || question->http.file))
		return err_set(err, CLI_USAGE, "explain: -H and -c are for --http \"GET /PATH\"");
	if (question->http.line &&
	    (question->packet.protocol == IPPROTO_UDP || question->established || question->syn))
		return err_set(err, CLI_USAGE,
			       "explain: --http is for a new connection of TCP, without udp, --syn "
			       "and --established");
	return 0;
}

static int check_kind(const struct question *question, struct err *err)
{
	if (question->syn && question->established)
		return err_set(err, CLI_USAGE, "explain: --syn or --established, not both");
	if (question->packet.protocol == IPPROTO_UDP && (question->syn || question->established))
		return err_set(err, CLI_USAGE, "explain: UDP knows no --syn or --established");
	return 0;
}

/* --http, -H and -c; false: it is none of them. */
static bool take_http(const char *option, const char *value, struct explain_http_question *ret)
{
	if (!value)
		return false;
	if (!strcmp(option, "--http"))
		ret->line = value;
	else if (!strcmp(option, "-c"))
		ret->file = value;
	else if (!strcmp(option, "-H") && ret->count < EXPLAIN_HTTP_FIELDS)
		ret->fields[ret->count++] = value;
	else
		return false;
	return true;
}

static int parse_arguments(const struct cli *cli, struct question *question, struct err *err)
{
	const char *words[3];
	size_t count = 0;
	int r;

	for (int i = 1; i < cli->argc; i++) {
		const char *argument = cli->argv[i];

		if (!strcmp(argument, "--established"))
			question->established = true;
		else if (!strcmp(argument, "--syn"))
			question->syn = true;
		else if (!strcmp(argument, "--interface") && i + 1 < cli->argc)
			question->interface = cli->argv[++i];
		else if (take_http(argument, cli->argv[i + 1], &question->http))
			i++;
		else if (argument[0] == '-')
			return err_set(err, CLI_USAGE, "explain: %s wants %s", argument,
				       strcmp(argument, "--interface")
					       ? "a value, and of -H there are at most 32"
					       : "the name of an interface");
		else if (count < 3)
			words[count++] = argument;
		else
			return err_set(err, CLI_USAGE, "explain: unexpected '%.40s'", argument);
	}
	r = parse_words(words, count, question, err);
	r = r ?: check_http(question, err);
	return r ?: check_kind(question, err);
}

/* ---- what was not said ---- */

static bool listens(const struct plan_listener *listener, const struct addr *address)
{
	vec_foreach(own, &listener->addresses)
		if (addr_equal(own, address))
			return true;
	return false;
}

static bool listens_on(const struct plan_listener *listener, const struct frame_spec *packet)
{
	vec_foreach(range, &listener->ports)
		if (packet->dport >= range->first && packet->dport <= range->last)
			return listens(listener, &packet->dst);
	return false;
}

/* The protocol of the listener that has the address and port, where that is udp alone; else tcp. */
static void choose_protocol(const struct plan *plan, struct question *question)
{
	bool tcp = false, udp = false;

	vec_foreach(listener, &plan->listeners) {
		tcp |= listener->protocol == IPPROTO_TCP && listens_on(listener, &question->packet);
		udp |= listener->protocol == IPPROTO_UDP && listens_on(listener, &question->packet);
	}
	if (!question->packet.protocol)
		question->packet.protocol = udp && !tcp ? IPPROTO_UDP : IPPROTO_TCP;
}

/* By its name; NULL: any. */
static const struct weir_egress *find_egress(const struct object *object, const char *name)
{
	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		const struct weir_egress *egress = &object->egress[i];

		if (egress->ifindex &&
		    (!name || !strncmp(egress->name, name, sizeof(egress->name))))
			return egress;
	}
	return NULL;
}

static int no_interface(const struct object *object, const char *name, struct err *err)
{
	struct str_nearest nearest = { .word = name };
	char names[256] = "";
	size_t used = 0;

	for (uint32_t i = 1; i < WEIR_MAX_EGRESS; i++) {
		const struct weir_egress *egress = &object->egress[i];

		if (!egress->ifindex || used >= sizeof(names))
			continue;
		used += snprintf(names + used, sizeof(names) - used, "%s%.*s", used ? ", " : "",
				 (int)sizeof(egress->name), egress->name);
		str_nearest_offer(&nearest, egress->name);
	}
	if (!names[0])
		return err_set(err, -ENODEV, "weir is attached to no interface; see: weir attach");
	if (nearest.best)
		return err_set(err, -ENODEV, "weir is not attached to '%.20s'; did you mean '%s'?",
			       name, nearest.best);
	return err_set(err, -ENODEV, "weir is not attached to '%.20s', but to %s", name, names);
}

/* The one that was named; else the one by which the client is reached; else any. */
static int choose_interface(const struct object *object, struct question *question, struct err *err)
{
	_cleanup_(nl_freep) struct nl *nl = NULL;
	const struct weir_egress *egress;
	char name[IF_NAMESIZE] = "";
	struct nl_route route = {};

	if (question->interface) {
		egress = find_egress(object, question->interface);
	} else {
		if (!nl_new(&nl, NULL) && !nl_route_get(nl, &question->packet.src, &route, NULL))
			if_indextoname(route.ifindex, name);
		egress = (name[0] ? find_egress(object, name) : NULL) ?: find_egress(object, NULL);
	}
	if (!egress)
		return no_interface(object, question->interface ?: "", err);
	question->ifindex = egress->ifindex;
	snprintf(question->ingress, sizeof(question->ingress), "%.*s",
		 (int)sizeof(question->ingress) - 1, egress->name);
	memcpy(question->packet.dst_mac, egress->mac, sizeof(egress->mac));
	memcpy(question->packet.vlan, egress->vlan, sizeof(egress->vlan));
	return 0;
}

/* ---- asking ---- */

/* Of a router that there is not: what locally administered addresses are for. */
static const uint8_t client_mac[6] = { 0x02 };

static int ask(struct asked *asked, struct err *err)
{
	_cleanup_(explain_closep) struct explain *explain = NULL;
	struct question *question = &asked->question;
	uint8_t frame[FRAME_BUILD_MAX];
	struct explain_packet packet = { .frame = frame };
	int r;

	choose_protocol(asked->plan, question);
	r = check_kind(question, err);
	if (r)
		return r;
	question->packet.syn = !question->established;
	memcpy(question->packet.src_mac, client_mac, sizeof(client_mac));
	r = choose_interface(asked->object, question, err);
	r = r ?: explain_open(asked->object, !question->packet.vlan[0], &explain, err);
	if (r)
		return r;
	packet.ifindex = question->ifindex;
	packet.size = frame_build(&question->packet, frame);
	return explain_ask(explain, &packet, &asked->answer, err);
}

/* ---- the answer ---- */

static const char *verdict_name(int verdict)
{
	static const char *const names[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					     "XDP_REDIRECT" };

	return verdict >= 0 && verdict < 5 ? names[verdict] : "?";
}

/* The last word on the packet; there is none if the program did not get that far. */
static const struct weir_step *find_verdict(const struct weir_steps *steps)
{
	for (uint32_t i = 0; i < steps->count && i < WEIR_MAX_STEPS; i++)
		if (steps->step[i].kind == WEIR_STEP_VERDICT)
			return &steps->step[i];
	return NULL;
}

/* Does a frame leave? */
static bool is_sent(const struct explain_answer *answer)
{
	return answer->verdict == XDP_TX || answer->verdict == XDP_REDIRECT;
}

/* Where the client meant to go, perhaps: the listeners of the address, or all of them. */
static void suggest(const struct asked *asked, struct str *text)
{
	const struct addr *dst = &asked->question.packet.dst;
	char addresses[256], ports[256];
	bool any = false;

	vec_foreach(listener, &asked->plan->listeners)
		any |= listens(listener, dst);
	vec_foreach(listener, &asked->plan->listeners) {
		if (any ? !listens(listener, dst) : !listener->addresses.count)
			continue;
		report_addresses(listener, addresses, sizeof(addresses));
		report_ports(listener, ports, sizeof(ports));
		str_add(text, "%s%s is %s %s%sport %s", text->size ? "; " : "", listener->name,
			output_protocol(listener->protocol), any ? "" : addresses, any ? "" : " ",
			ports);
	}
}

static char *hint_of(const struct asked *asked, const struct weir_step *verdict)
{
	struct str text = {};

	if (verdict->index == WEIR_R_NO_LISTENER || verdict->index == WEIR_R_NOT_OURS)
		suggest(asked, &text);
	else
		str_add(&text, "%s", output_reason(verdict->index)->hint);
	return str_take(&text);
}

static void print_steps(const struct asked *asked)
{
	struct explain_reading reading = { .object = asked->object };
	struct table table = { .align = "lll", .indent = 2 };
	const struct weir_steps *steps = &asked->answer.steps;

	table_add(&table, "STAGE");
	table_add(&table, "MAP");
	table_add(&table, "DECISION");
	for (uint32_t i = 0; i < steps->count && i < WEIR_MAX_STEPS; i++) {
		struct explain_words words;

		explain_step_read(&reading, &steps->step[i], &words);
		if (!words.stage)
			continue;
		table_add(&table, "%s", words.stage);
		table_add(&table, "%s%s", words.map ?: "-", words.key);
		table_add(&table, "%s", words.text);
	}
	table_print(&table, stdout);
}

static void print_frame(const struct explain_answer *answer)
{
	struct frame_layer layers[FRAME_LAYERS];
	struct table table = { .align = "ll", .indent = 2 };
	size_t count = frame_read(answer->frame, answer->size, layers);

	for (size_t i = 0; i < count; i++) {
		const struct frame_layer *layer = &layers[i];

		table_add(&table, "%s", layer->name);
		table_add(&table, "%s%s%s%s%s%s%s", layer->src, layer->src[0] ? " -> " : "",
			  layer->dst, layer->src[0] && layer->what ? ", " : "", layer->what ?: "",
			  layer->what ? " " : "", layer->value);
	}
	table_print(&table, stdout);
}

static const char *packet_kind(const struct question *question)
{
	if (question->packet.protocol == IPPROTO_UDP)
		return "a datagram";
	return question->packet.syn ? "a new connection" : "of an established connection";
}

static void print_answer(const struct asked *asked, const struct weir_step *verdict,
			 const char *hint)
{
	const struct frame_spec *packet = &asked->question.packet;
	const struct output_reason *reason = output_reason(verdict->index);
	char src[ADDR_PORT_TEXT_MAX], dst[ADDR_PORT_TEXT_MAX];

	printf("%s %s -> %s, %s, comes in by %s\n", output_protocol(packet->protocol),
	       addr_print_port(&packet->src, packet->sport, src),
	       addr_print_port(&packet->dst, packet->dport, dst), packet_kind(&asked->question),
	       asked->question.ingress);
	print_steps(asked);
	printf("%s, %s: %s\n", verdict_name(asked->answer.verdict), reason->name, reason->help);
	if (hint[0])
		printf("  %s\n", hint);
	if (is_sent(&asked->answer))
		print_frame(&asked->answer);
}

static json_t *steps_json(const struct asked *asked)
{
	struct explain_reading reading = { .object = asked->object };
	const struct weir_steps *steps = &asked->answer.steps;
	json_t *list = json_array();

	for (uint32_t i = 0; i < steps->count && i < WEIR_MAX_STEPS; i++) {
		const struct weir_step *step = &steps->step[i];
		struct explain_words words;

		explain_step_read(&reading, step, &words);
		if (words.stage)
			json_array_append_new(list, json_pack("{s:s, s:s?, s:s, s:b, s:s}", "stage",
							      words.stage, "map", words.map, "key",
							      words.key, "found", step->found,
							      "decision", words.text));
	}
	return list;
}

static json_t *frame_json(const struct explain_answer *answer)
{
	struct frame_layer layers[FRAME_LAYERS];
	size_t count = frame_read(answer->frame, answer->size, layers);
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *layer = json_pack("{s:s}", "layer", layers[i].name);

		if (layers[i].src[0])
			json_object_update_new(layer, json_pack("{s:s, s:s}", "src", layers[i].src,
								"dst", layers[i].dst));
		if (layers[i].what)
			json_object_set_new(layer, layers[i].what, json_string(layers[i].value));
		json_array_append_new(list, layer);
	}
	return list;
}

/* Only of a forwarded packet is there an endpoint. */
static json_t *endpoint_json(const struct asked *asked, const struct weir_step *verdict)
{
	char name[EXPLAIN_WORDS_MAX];

	if (verdict->index > WEIR_R_REPLIED)
		return json_null();
	return json_string(
		explain_step_endpoint(asked->object, verdict->value.verdict.endpoint, name));
}

static json_t *answer_json(const struct asked *asked, const struct weir_step *verdict,
			   const char *hint)
{
	const struct frame_spec *packet = &asked->question.packet;
	const struct output_reason *reason = output_reason(verdict->index);
	const char *listener =
		explain_step_listener(asked->object, verdict->value.verdict.listener);
	char src[ADDR_PORT_TEXT_MAX], dst[ADDR_PORT_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:b, s:s, s:o, s:s, s:s, s:s, s:s, s:s?, s:o, s:o}",
			 "protocol", output_protocol(packet->protocol), "source",
			 addr_print_port(&packet->src, packet->sport, src), "destination",
			 addr_print_port(&packet->dst, packet->dport, dst), "established",
			 asked->question.established, "interface", asked->question.ingress, "steps",
			 steps_json(asked), "verdict", verdict_name(asked->answer.verdict),
			 "reason", reason->name, "help", reason->help, "hint", hint, "listener",
			 listener[0] ? listener : NULL, "endpoint", endpoint_json(asked, verdict),
			 "frame",
			 is_sent(&asked->answer) ? frame_json(&asked->answer) : json_null());
}

static void asked_fini(struct asked *asked)
{
	plan_free(asked->plan);
	object_close(asked->object);
}

/* A question about a file is about its rules alone: no packet has come to them. */
static int explain_file(const struct cli *cli, const struct question *question, struct err *err)
{
	_cleanup_(explain_http_freep) struct explain_http *http = NULL;
	int r = explain_http_ask(cli->instance, &question->http, &question->packet, NULL, &http,
				 err);

	if (r < 0)
		return r;
	if (cli->json)
		output_json(cli, json_pack("{s:o}", "http", explain_http_json(http)));
	else
		explain_http_print(http, stdout);
	return 0;
}

static int explain_in_force(const struct cli *cli, struct asked *asked, struct err *err)
{
	_cleanup_(explain_http_freep) struct explain_http *http = NULL;
	_cleanup_(freep) char *hint = NULL;
	const struct weir_step *verdict;
	int r = client_open(cli, &asked->object, &asked->plan, err);

	r = r ?: ask(asked, err);
	if (!r && asked->question.http.line)
		r = explain_http_ask(cli->instance, &asked->question.http, &asked->question.packet,
				     asked->plan, &http, err);
	if (r)
		return r;
	verdict = find_verdict(&asked->answer.steps);
	if (!verdict)
		return err_set(err, -EPROTO, "the program says nothing: is it of another version?");
	hint = hint_of(asked, verdict);
	if (!hint)
		return err_set(err, -ENOMEM, "out of memory");
	if (cli->json) {
		json_t *answer = answer_json(asked, verdict, hint);

		if (http)
			json_object_set_new(answer, "http", explain_http_json(http));
		output_json(cli, answer);
		return 0;
	}
	print_answer(asked, verdict, hint);
	if (http)
		explain_http_print(http, stdout);
	return 0;
}

int cli_explain(const struct cli *cli, struct err *err)
{
	_cleanup_(asked_fini) struct asked asked = {};
	int r = parse_arguments(cli, &asked.question, err);

	if (r)
		return r;
	return asked.question.http.file ? explain_file(cli, &asked.question, err)
					: explain_in_force(cli, &asked, err);
}
