/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one list of metrics: the endpoint /metrics and weir-metrics(7) are made of it. Names and
 * labels are an interface: they are added, not changed.
 *
 * X(NAME, "metric", TYPE, SCOPE, "labels", "what it is")
 *
 *   ONE        one series
 *   INTERFACE  one for each interface that weir is attached to
 *   MAP        one for each table of a bounded size
 *   REASON     for each listener, and for none (listener=""), one for each reason of counters.h: of
 *              no listener all, of a listener those that have happened
 *   LISTENER   for each listener; with a second label, for each direction
 *   LATENCY    a histogram for each listener of mode nat or proxy
 *   REQUESTS   for each http listener, one for each class of status, or way to end
 *   RULE       for each rule of http listeners
 *   HTTP       one for each http listener, or a histogram
 *   ENDPOINT   for each endpoint; with a fifth label, for each direction: METRICS_ENDPOINT_MAX in
 *              all
 *   CHOSEN     for each endpoint with a limit or passive health
 */
#ifndef WEIR_DAEMON_METRICS_TABLE_H
#define WEIR_DAEMON_METRICS_TABLE_H

/* clang-format off */
#define METRICS_OF_ENDPOINT "listener, group, endpoint, address"
#define METRICS(X)                                                                                 \
	X(BUILD, "build_info", GAUGE, ONE, "version, abi", "1; which weir this is")                \
	X(START, "start_time_seconds", GAUGE, ONE, "", "When the daemon began, since 1970")        \
	X(CONFIGURATION, "configuration_number", GAUGE, ONE, "",                                   \
	  "Number in the history of the configuration in force; 0: in none")                       \
	X(CONFIGURATION_TIME, "configuration_timestamp_seconds", GAUGE, ONE, "",                   \
	  "When it came into force, since 1970")                                                   \
	X(UNCONFIRMED, "configuration_unconfirmed_seconds", GAUGE, ONE, "",                        \
	  "Time until a change that waits to be confirmed is taken back; 0: none waits")           \
	X(OVERRIDES, "overrides", GAUGE, ONE, "",                                                  \
	  "Endpoints and groups that the command line has changed, away from the file")            \
	X(INTERFACE, "interface_attached", GAUGE, INTERFACE, "interface, mode",                    \
	  "1; the data plane is on this interface")                                                \
	X(MAP_ENTRIES, "map_entries", GAUGE, MAP, "map", "Entries in use of a table of the data plane") \
	X(MAP_CAPACITY, "map_capacity_entries", GAUGE, MAP, "map",                                 \
	  "Entries that the table has; listeners and endpoints grow as they need, nat_flows and "  \
	  "recorded_flows are the configuration's")                                                \
	X(PACKETS, "packets_total", COUNTER, REASON, "listener, kind, reason",                     \
	  "Packets by what became of them")                                                        \
	X(LISTENER_BYTES, "listener_bytes_total", COUNTER, LISTENER, "listener, direction",        \
	  "Bytes of IP packets, to endpoints (request) and back through weir (reply)")             \
	X(LISTENER_FLOWS, "listener_flows_total", COUNTER, LISTENER, "listener",                   \
	  "New connections that an endpoint was selected for")                                     \
	X(LISTENER_ENDPOINTS, "listener_usable_endpoints", GAUGE, LISTENER, "listener",            \
	  "Endpoints that new connections go to")                                                  \
	X(LISTENER_LATENCY, "listener_first_answer_seconds", HISTOGRAM, LATENCY, "listener",       \
	  "Time from the first packet of a connection to the endpoint's first answer, with http "   \
	  "from the first byte of a request; its sum is not known and is left out")                                                             \
	X(LISTENER_REQUESTS, "http_requests_total", COUNTER, REQUESTS, "listener, class",           \
	  "Requests of an http listener by the class of their answer's status, weir's own "        \
	  "answers included (1xx: upgrades); none: they got no answer")                             \
	X(LISTENER_ENDS, "http_requests_ended_total", COUNTER, REQUESTS, "listener, end",           \
	  "The same by how they ended, as the access log's \"end\" has it: done, or why not")      \
	X(LISTENER_TOOK, "http_request_seconds", HISTOGRAM, HTTP, "listener",                       \
	  "Time from the first byte of a request to the last of its answer")                        \
	X(LISTENER_REQUESTS_OPEN, "http_requests_in_flight", GAUGE, HTTP, "listener",               \
	  "Requests whose header has been read, and whose answer is not over")                      \
	X(LISTENER_CONNECTIONS, "http_connections", GAUGE, HTTP, "listener",                        \
	  "Open connections of clients to an http listener")                                        \
	X(LISTENER_ROUTED, "http_requests_routed_total", COUNTER, HTTP, "listener",                 \
	  "Requests that went to an endpoint, and their answers back, in the kernel alone "        \
	  "(kernel_routing)")                                                                       \
	X(RULE_REQUESTS, "http_rule_requests_total", COUNTER, RULE, "listener, rule",               \
	  "Requests that a rule took; rule is its name, or #N for the listener's Nth, which has "   \
	  "none")                                                                                   \
	X(LINES_LOST, "access_log_lines_lost_total", COUNTER, ONE, "",                              \
	  "Lines that the access log's file took too slowly, or not at all")                        \
	X(ENDPOINT_PACKETS, "endpoint_packets_total", COUNTER, ENDPOINT, METRICS_OF_ENDPOINT,      \
	  "Packets from clients, forwarded to the endpoint")                                       \
	X(ENDPOINT_BYTES, "endpoint_bytes_total", COUNTER, ENDPOINT,                               \
	  METRICS_OF_ENDPOINT ", direction",                                                       \
	  "Bytes of IP packets, to the endpoint (request) and back through weir (reply)")       \
	X(ENDPOINT_FLOWS, "endpoint_flows_total", COUNTER, ENDPOINT, METRICS_OF_ENDPOINT,          \
	  "New connections that it was selected for; its share of the listener's is what it got")  \
	X(ENDPOINT_WEIGHT, "endpoint_weight", GAUGE, ENDPOINT, METRICS_OF_ENDPOINT,                \
	  "Weight in force; 0: drained")                                                           \
	X(ENDPOINT_WANT, "endpoint_want_ratio", GAUGE, ENDPOINT, METRICS_OF_ENDPOINT,              \
	  "Share of its listener's new connections that it shall have")                            \
	X(ENDPOINT_UP, "endpoint_up", GAUGE, ENDPOINT, METRICS_OF_ENDPOINT,                        \
	  "1: health checks have not found it abnormal; 0: they have")                             \
	X(ENDPOINT_CHANGES, "endpoint_health_changes_total", COUNTER, ENDPOINT,                    \
	  METRICS_OF_ENDPOINT, "How often health checks have changed its state")                   \
	X(ENDPOINT_IN_FLIGHT, "endpoint_requests_in_flight", GAUGE, CHOSEN, METRICS_OF_ENDPOINT,   \
	  "Requests that an endpoint with max_connections has")                                    \
	X(ENDPOINT_ASIDE, "endpoint_aside_seconds", GAUGE, CHOSEN, METRICS_OF_ENDPOINT,            \
	  "How long passive health will keep it from requests; 0: it does not")                    \
	X(ENDPOINT_TIMES_ASIDE, "endpoint_put_aside_total", COUNTER, CHOSEN, METRICS_OF_ENDPOINT,  \
	  "How often passive health has put it aside")                                             \
	X(ENDPOINT_PROBE, "endpoint_health_probe_seconds", GAUGE, ENDPOINT, METRICS_OF_ENDPOINT,   \
	  "How long the last health probe took that passed; 0: none has")
/* clang-format on */

#define METRICS_PREFIX	     "weir_"
#define METRICS_ENDPOINT_MAX 9 /* series of an endpoint */

enum metrics_type {
	METRICS_GAUGE,
	METRICS_COUNTER,
	METRICS_HISTOGRAM,
};

enum metrics_scope {
	METRICS_ONE,
	METRICS_INTERFACE,
	METRICS_MAP,
	METRICS_REASON,
	METRICS_LISTENER,
	METRICS_LATENCY,
	METRICS_REQUESTS,
	METRICS_RULE,
	METRICS_HTTP,
	METRICS_ENDPOINT,
	METRICS_CHOSEN,
};

enum metrics_id {
#define X(id, name, type, scope, labels, help) METRICS_ID_##id,
	METRICS(X)
#undef X
	METRICS_COUNT
};

struct metrics_row {
	const char *name; /* without the prefix */
	enum metrics_type type;
	enum metrics_scope scope;
	const char *labels; /* "listener, direction" */
	const char *help;
};

extern const struct metrics_row metrics_table[METRICS_COUNT];

/* "gauge" */
const char *metrics_table_type(enum metrics_type type);

#endif
