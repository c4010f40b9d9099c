// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flows count --tcp|--http|--udp --to ADDR PORT --connections N [options]
 *     Opens N new flows from distinct source ports and counts who answered:
 *     {"connections":N,"failed":F,"retries":R,"seconds":S,"endpoints":{"ep1":n,...}}
 *
 * flows hold --tcp|--udp --to ADDR PORT --flows N --interval MS [options]
 *     Keeps N flows open; each asks at the interval and expects the endpoint that answered first.
 *     Says "ready" on stderr once every flow has had an answer, runs until SIGTERM or --seconds:
 *     {"flows":N,"exchanges":n,"moved":m,"broken":b,"retries":R,"seconds":S,
 *      "broken_of":{"ep1":n,...}}
 *
 *   --source-ports FIRST-LAST  default 1024-65535, from a random start
 *   --concurrency N            count: flows open at once (64)
 *   --rate N                   count: at most N new flows per second (no limit)
 *   --timeout MS               how long TCP may take to connect, or to answer (10000)
 *   --seconds S                end after S seconds (60): what is not done by then has failed
 *   --log FILE                 count: a line for each flow when it has ended, flows being numbered
 * in the order in which they begin: NUMBER SOURCE-PORT ENDPOINT, or NUMBER SOURCE-PORT - WHY
 *
 * The peer is `serve` (--tcp, --udp) or a web server whose body begins with its name (--http). A
 * lost datagram is sent again a few times before the flow counts as failed. The exit status is 0
 * whenever the run could be made: the caller judges the JSON.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE	64
#define MAX_NAME	64
#define MAX_ANSWER	1024
#define MAX_ENDPOINTS	64
#define MAX_FLOWS	16384
#define MAX_EVENTS	64
#define TICK_MS		10
#define UDP_RETRY_MS	250
#define UDP_TRIES	8
#define HTTP_REQUEST	"GET / HTTP/1.0\r\nHost: weir\r\n\r\n"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum protocol {
	PROTOCOL_NONE,
	PROTOCOL_TCP,
	PROTOCOL_HTTP,
	PROTOCOL_UDP,
};

enum state {
	STATE_FREE, /* no socket; a new flow may begin here */
	STATE_CONNECTING,
	STATE_WAITING, /* for the answer */
	STATE_IDLE,    /* hold: until the next question */
	STATE_DEAD,    /* hold: broken, counted, given up */
};

struct flow {
	enum state state;
	int fd;
	uint32_t number;
	unsigned port;	       /* its own */
	uint32_t question;     /* counts the exchanges */
	unsigned tries;	       /* of this question, UDP */
	int64_t due;	       /* ms: of the next question, the next try or the timeout, by state */
	char name[MAX_NAME];   /* who answered first */
	size_t length;	       /* of what has been received */
	char text[MAX_ANSWER]; /* ends in NUL */
};

struct options {
	bool hold;
	enum protocol protocol;
	struct sockaddr_storage to;
	socklen_t to_length;
	unsigned flows, concurrency, rate, interval_ms, timeout_ms, seconds;
	unsigned first_port, last_port;
	FILE *log; /* NULL: none is wanted */
};

struct tally {
	char name[MAX_NAME];
	unsigned count;
};

struct run {
	struct options options;
	int epoll_fd;
	struct flow *flows;
	unsigned slots;
	int64_t began, now; /* ms */
	unsigned started, answered, failed, moved, retries, ports_tried, next_port;
	uint64_t exchanges;
	struct tally tallies[MAX_ENDPOINTS];
	const char *failure; /* what failed last, for people */
	int failure_errno;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void count_endpoint(struct run *run, const char *name)
{
	struct tally *tally = run->tallies;

	while (tally->count && strcmp(tally->name, name))
		if (++tally == run->tallies + MAX_ENDPOINTS)
			errx(EXIT_FAILURE, "more than %d endpoints", MAX_ENDPOINTS);
	strcpy(tally->name, name);
	tally->count++;
}

/* ---- one flow ---- */

static void flow_close(struct flow *flow)
{
	close(flow->fd);
	flow->fd = -1;
	flow->state = STATE_FREE;
}

static void flow_failed(struct run *run, struct flow *flow, const char *what, int error)
{
	if (run->options.log)
		fprintf(run->options.log, "%u %u - %s: %s\n", flow->number, flow->port, what,
			strerror(error));
	run->failed++;
	run->failure = what;
	run->failure_errno = error;
	flow_close(flow);
	if (!run->options.hold)
		return;
	flow->state = STATE_DEAD;
	if (flow->name[0])
		count_endpoint(run, flow->name);
}

/* A socket bound to a source port that this run has not used. */
static int open_socket(struct run *run, unsigned *ret_port)
{
	const struct options *options = &run->options;
	unsigned ports = options->last_port - options->first_port + 1;
	int type = options->protocol == PROTOCOL_UDP ? SOCK_DGRAM : SOCK_STREAM;
	struct sockaddr_storage from = { .ss_family = options->to.ss_family };
	int fd = socket(from.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		err(EXIT_FAILURE, "socket");
	/* Else a port that an IPv4 flow has would be taken for IPv6, too. */
	if (from.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	/* A TCP port may be taken again while an old connection of it ends; UDP would share it. */
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	for (; run->ports_tried < ports; run->ports_tried++) {
		in_port_t port = htons((uint16_t)run->next_port);

		*ret_port = run->next_port;
		if (from.ss_family == AF_INET)
			((struct sockaddr_in *)&from)->sin_port = port;
		else
			((struct sockaddr_in6 *)&from)->sin6_port = port;
		if (run->next_port++ == options->last_port)
			run->next_port = options->first_port;
		if (!bind(fd, (struct sockaddr *)&from, options->to_length)) {
			run->ports_tried++;
			return fd;
		}
		if (errno != EADDRINUSE)
			err(EXIT_FAILURE, "bind");
	}
	errx(EXIT_FAILURE, "no source port is left in %u-%u", options->first_port,
	     options->last_port);
}

static void flow_watch(struct run *run, struct flow *flow, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = flow };

	if (epoll_ctl(run->epoll_fd, operation, flow->fd, &event) < 0)
		err(EXIT_FAILURE, "epoll_ctl");
}

/* Sends the question, or sends it again. */
static void flow_ask(struct run *run, struct flow *flow)
{
	char question[64] = HTTP_REQUEST;
	ssize_t size = sizeof(HTTP_REQUEST) - 1;
	bool udp = run->options.protocol == PROTOCOL_UDP;

	if (run->options.protocol != PROTOCOL_HTTP)
		size = snprintf(question, sizeof(question), "%u.%u\n", flow->number,
				flow->question);
	flow->state = STATE_WAITING;
	flow->due = run->now + (udp ? UDP_RETRY_MS : run->options.timeout_ms);
	/* UDP: a refusal of an earlier datagram is reported here; the retry answers it. */
	if (send(flow->fd, question, (size_t)size, MSG_NOSIGNAL) != size && !udp)
		flow_failed(run, flow, "send", errno);
}

static void flow_open(struct run *run, struct flow *flow)
{
	bool udp = run->options.protocol == PROTOCOL_UDP;

	*flow = (struct flow){ .number = run->started++, .tries = 1 };
	flow->fd = open_socket(run, &flow->port);
	flow_watch(run, flow, EPOLL_CTL_ADD, udp ? EPOLLIN : EPOLLOUT);
	flow->state = STATE_CONNECTING;
	flow->due = run->now + run->options.timeout_ms;
	if (connect(flow->fd, (struct sockaddr *)&run->options.to, run->options.to_length) < 0 &&
	    errno != EINPROGRESS)
		flow_failed(run, flow, "connect", errno);
	else if (udp)
		flow_ask(run, flow);
}

static void flow_connected(struct run *run, struct flow *flow)
{
	socklen_t length = sizeof(int);
	int error = 0;

	getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error) {
		flow_failed(run, flow, "connect", error);
		return;
	}
	flow_watch(run, flow, EPOLL_CTL_MOD, EPOLLIN);
	flow_ask(run, flow);
}

/*
 * Who answered, in *ret_name: 1; 0 if the answer is not complete (or of an earlier question);
 * -EBADMSG if it is none.
 */
static int parse_answer(const struct run *run, const struct flow *flow, bool ended,
			char ret_name[MAX_NAME])
{
	char expected[64];
	const char *text = flow->text;
	size_t length;

	if (run->options.protocol == PROTOCOL_HTTP) {
		if (!ended)
			return 0;
		if (strncmp(text, "HTTP/1.1 200 ", 13) && strncmp(text, "HTTP/1.0 200 ", 13))
			return -EBADMSG;
		text = strstr(text, "\r\n\r\n");
		if (!text)
			return -EBADMSG;
		text += 4;
		snprintf(expected, sizeof(expected), "\n");
	} else {
		if (!strchr(text, '\n'))
			return ended ? -EBADMSG : 0;
		snprintf(expected, sizeof(expected), " %u.%u\n", flow->number, flow->question);
	}
	length = strspn(text, NAME_CHARACTERS);
	if (length == 0 || length >= MAX_NAME)
		return -EBADMSG;
	if (strcmp(text + length, expected))
		return run->options.protocol == PROTOCOL_UDP ? 0 : -EBADMSG;
	memcpy(ret_name, text, length);
	ret_name[length] = '\0';
	return 1;
}

static void flow_answered(struct run *run, struct flow *flow, const char *name)
{
	run->exchanges++;
	if (flow->question++ == 0)
		run->answered++;
	if (!run->options.hold) {
		if (run->options.log)
			fprintf(run->options.log, "%u %u %s\n", flow->number, flow->port, name);
		count_endpoint(run, name);
		flow_close(flow);
		return;
	}
	if (flow->name[0] && strcmp(flow->name, name))
		run->moved++;
	strcpy(flow->name, name);
	flow->length = 0;
	flow->tries = 1;
	flow->state = STATE_IDLE;
	flow->due = run->now + run->options.interval_ms;
}

static void flow_receive(struct run *run, struct flow *flow)
{
	bool udp = run->options.protocol == PROTOCOL_UDP;
	char name[MAX_NAME];
	ssize_t size;
	int r;

	if (udp)
		flow->length = 0;
	size = recv(flow->fd, flow->text + flow->length, MAX_ANSWER - 1 - flow->length, 0);
	if (size < 0) {
		/* UDP: "connection refused" is a loss like any other, until the tries are used. */
		if (!udp && errno != EAGAIN && errno != EINTR)
			flow_failed(run, flow, "receive", errno);
		return;
	}
	flow->length += (size_t)size;
	flow->text[flow->length] = '\0';
	if (flow->state != STATE_WAITING) {
		if (!udp)
			flow_failed(run, flow, "closed by the peer", 0);
		return;
	}
	r = parse_answer(run, flow, size == 0 && !udp, name);
	if (r > 0)
		flow_answered(run, flow, name);
	else if (r < 0 || flow->length == MAX_ANSWER - 1)
		flow_failed(run, flow, "not the answer to the question", 0);
}

static bool may_begin(const struct run *run)
{
	const struct options *options = &run->options;

	return run->started < options->flows && !stopped &&
	       (!options->rate ||
		run->started <= (uint64_t)(run->now - run->began) * options->rate / 1000);
}

/* What time alone brings about. */
static void flow_tick(struct run *run, struct flow *flow)
{
	switch (flow->state) {
	case STATE_FREE:
		if (may_begin(run))
			flow_open(run, flow);
		break;
	case STATE_CONNECTING:
		if (run->now >= flow->due)
			flow_failed(run, flow, "connect", ETIMEDOUT);
		break;
	case STATE_WAITING:
		if (run->now < flow->due)
			break;
		if (run->options.protocol != PROTOCOL_UDP || flow->tries == UDP_TRIES) {
			flow_failed(run, flow, "answer", ETIMEDOUT);
			break;
		}
		flow->tries++;
		run->retries++;
		flow_ask(run, flow);
		break;
	case STATE_IDLE:
		if (run->now >= flow->due && !stopped)
			flow_ask(run, flow);
		break;
	case STATE_DEAD:
		break;
	}
}

/* ---- all flows ---- */

/* True while something is to be waited for. */
static bool busy(const struct run *run)
{
	unsigned i;

	for (i = 0; i < run->slots; i++)
		if (run->flows[i].state == STATE_CONNECTING || run->flows[i].state == STATE_WAITING)
			return true;
	if (stopped)
		return false;
	return run->options.hold ? run->failed < run->options.flows
				 : run->started < run->options.flows;
}

static void tick(struct run *run)
{
	unsigned i;

	run->now = now_ms();
	for (i = 0; i < run->slots; i++)
		flow_tick(run, &run->flows[i]);
}

static void run_flows(struct run *run)
{
	struct epoll_event events[MAX_EVENTS];
	int64_t end = run->began + (int64_t)run->options.seconds * 1000, next_tick = 0;
	bool ready = false;
	int count, i;

	while (busy(run) && (run->now < end || run->options.hold)) {
		if (run->options.hold && run->now >= end)
			stopped = 1;
		if (run->now >= next_tick) {
			tick(run);
			next_tick = run->now + TICK_MS;
		}
		if (!ready && run->answered + run->failed == run->options.flows) {
			if (run->options.hold)
				fputs("ready\n", stderr);
			ready = true;
		}
		count = epoll_wait(run->epoll_fd, events, MAX_EVENTS, TICK_MS);
		if (count < 0 && errno != EINTR)
			err(EXIT_FAILURE, "epoll_wait");
		run->now = now_ms();
		for (i = 0; i < count; i++) {
			struct flow *flow = events[i].data.ptr;

			if (flow->state == STATE_CONNECTING)
				flow_connected(run, flow);
			else
				flow_receive(run, flow);
			/* The next one begins at once, not at the next tick. */
			if (flow->state == STATE_FREE)
				flow_tick(run, flow);
		}
	}
}

static void report(const struct run *run)
{
	const struct options *options = &run->options;
	const struct tally *tally;

	if (run->failure)
		warnx("%u failed; the last: %s%s%s", run->failed, run->failure,
		      run->failure_errno ? ": " : "",
		      run->failure_errno ? strerror(run->failure_errno) : "");
	if (options->hold) {
		printf("{\"flows\":%u,\"exchanges\":%llu,\"moved\":%u,\"broken\":%u",
		       options->flows, (unsigned long long)run->exchanges, run->moved,
		       options->flows - run->answered > run->failed ? options->flows - run->answered
								    : run->failed);
	} else {
		printf("{\"connections\":%u,\"failed\":%u", options->flows,
		       options->flows - run->answered);
	}
	printf(",\"retries\":%u,\"seconds\":%.3f", run->retries,
	       (double)(run->now - run->began) / 1000);
	printf(",\"%s\":{", options->hold ? "broken_of" : "endpoints");
	for (tally = run->tallies; tally < run->tallies + MAX_ENDPOINTS && tally->count; tally++)
		printf("%s\"%s\":%u", tally == run->tallies ? "" : ",", tally->name, tally->count);
	puts("}}");
}

/* ---- command line ---- */

static void usage(const char *why)
{
	fprintf(stderr,
		"flows: %s\n"
		"usage: flows count --tcp|--http|--udp --to ADDR PORT --connections N\n"
		"             [--source-ports FIRST-LAST] [--concurrency N] [--rate N]\n"
		"             [--timeout MS] [--seconds S] [--log FILE]\n"
		"       flows hold --tcp|--udp --to ADDR PORT --flows N --interval MS\n"
		"             [--source-ports FIRST-LAST] [--timeout MS] [--seconds S]\n",
		why);
	exit(EXIT_USAGE);
}

static unsigned number(const char *text, char terminator, unsigned max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = text ? strtoul(text, &end, 10) : 0;
	if (!text || *text < '0' || *text > '9' || errno || *end != terminator || value < 1 ||
	    value > max)
		usage("a number is missing or out of range");
	return (unsigned)value;
}

static void parse_to(struct options *options, const char *address, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;

	if (!address || !port || getaddrinfo(address, port, &hints, &found))
		usage("--to wants an address and a port");
	memcpy(&options->to, found->ai_addr, found->ai_addrlen);
	options->to_length = found->ai_addrlen;
	freeaddrinfo(found);
}

static void parse_ports(struct options *options, const char *text)
{
	const char *dash = text ? strchr(text, '-') : NULL;

	if (!dash)
		usage("--source-ports wants FIRST-LAST");
	options->first_port = number(text, '-', 65535);
	options->last_port = number(dash + 1, '\0', 65535);
}

static bool parse_number_option(struct options *options, const char *name, const char *value)
{
	const struct {
		const char *name;
		unsigned *value;
		unsigned max;
	} known[] = {
		{ "--connections", &options->flows, 1000000 },
		{ "--flows", &options->flows, MAX_FLOWS },
		{ "--concurrency", &options->concurrency, MAX_FLOWS },
		{ "--rate", &options->rate, 1000000 },
		{ "--interval", &options->interval_ms, 60000 },
		{ "--timeout", &options->timeout_ms, 3600000 },
		{ "--seconds", &options->seconds, 3600 },
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!strcmp(name, known[i].name)) {
			*known[i].value = number(value, '\0', known[i].max);
			return true;
		}
	}
	return false;
}

static struct options parse_options(char **argv)
{
	struct options options = { .concurrency = 64,
				   .timeout_ms = 10000,
				   .seconds = 60,
				   .first_port = 1024,
				   .last_port = 65535 };

	if (!*argv || (strcmp(*argv, "count") && strcmp(*argv, "hold")))
		usage("count or hold?");
	options.hold = !strcmp(*argv, "hold");
	for (argv++; *argv; argv++) {
		if (!strcmp(*argv, "--tcp")) {
			options.protocol = PROTOCOL_TCP;
		} else if (!strcmp(*argv, "--http")) {
			options.protocol = PROTOCOL_HTTP;
		} else if (!strcmp(*argv, "--udp")) {
			options.protocol = PROTOCOL_UDP;
		} else if (!strcmp(*argv, "--to")) {
			parse_to(&options, argv[1], argv[1] ? argv[2] : NULL);
			argv += 2;
		} else if (!strcmp(*argv, "--source-ports")) {
			parse_ports(&options, *++argv);
		} else if (!strcmp(*argv, "--log")) {
			options.log = argv[1] ? fopen(*++argv, "w") : NULL;
			if (!options.log)
				usage("--log wants a file that can be written");
			setvbuf(options.log, NULL, _IOLBF, 0); /* others read it meanwhile */
		} else if (parse_number_option(&options, *argv, argv[1])) {
			argv++;
		} else {
			usage("unknown option");
		}
	}
	if (!options.protocol || !options.to_length || !options.flows)
		usage("protocol, --to and the number of flows are needed");
	if (options.hold && options.log)
		usage("--log is of count");
	if (options.hold && (options.protocol == PROTOCOL_HTTP || !options.interval_ms))
		usage("hold wants --tcp or --udp, and --interval");
	if (options.first_port > options.last_port ||
	    options.flows > options.last_port - options.first_port + 1)
		usage("fewer source ports than flows");
	return options;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct run run = { 0 };
	unsigned i;

	(void)argc;
	run.options = parse_options(argv + 1);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	run.next_port = run.options.first_port;
	if (run.options.first_port == 1024 && run.options.last_port == 65535) {
		uint16_t random = 0;

		(void)!getrandom(&random, sizeof(random), 0);
		run.next_port += random % (run.options.last_port - run.options.first_port);
	}
	run.slots = run.options.hold || run.options.flows < run.options.concurrency
			    ? run.options.flows
			    : run.options.concurrency;
	run.flows = calloc(run.slots, sizeof(*run.flows));
	run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!run.flows || run.epoll_fd < 0)
		err(EXIT_FAILURE, "cannot begin");
	run.began = run.now = now_ms();

	run_flows(&run);
	report(&run);
	if (run.options.log && fclose(run.options.log))
		err(EXIT_FAILURE, "--log");

	for (i = 0; i < run.slots; i++)
		if (run.flows[i].state != STATE_FREE && run.flows[i].state != STATE_DEAD)
			flow_close(&run.flows[i]);
	close(run.epoll_fd);
	free(run.flows);
	return EXIT_SUCCESS;
}
