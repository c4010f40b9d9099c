// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "daemon/metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "daemon/guest.h"
#include "daemon/history.h"
#include "daemon/metrics_table.h"
#include "daemon/metrics_take.h"
#include "http/request.h"
#include "net/sock.h"
#include "util/log.h"

#define CONNECTIONS_MAX 8
#define MOMENTS_MAX	2    /* snapshots at once */
#define FRESH_MS	1000 /* one that is not older serves another peer as well */
#define HEAD_MAX	8192 /* bytes of a request */
#define FIELDS_MAX	50
#define REQUEST_MS	5000	    /* for all of it */
#define ANSWER_MS	30000	    /* the same */
#define LINGER_MS	1000	    /* for the peer to close */
#define RETRY_MS	5000	    /* an address that could not be had */
#define PART		(32u << 10) /* bytes that are written at once */

#define CONTENT_TYPE	"text/plain; version=0.0.4; charset=utf-8"

/* A snapshot that connections wait for, or share. */
struct moment {
	struct metrics *metrics;
	struct loop_source *timer; /* goes on taking it */
	struct metrics_taking taking;
	unsigned users; /* 0: free */
	bool ready;
	uint64_t at; /* ms */
};

enum connection_state {
	STATE_REQUEST,
	STATE_WAITING, /* for its moment */
	STATE_ANSWER,
	STATE_LINGER, /* all is sent */
};

struct connection {
	struct guest guest;
	struct metrics *metrics;
	enum connection_state state;
	char request[HEAD_MAX];
	size_t size;
	struct head head;
	bool chunked; /* HTTP/1.1: the peer sees whether it has got all */
	bool last;    /* there is no more to come than what is in `out` */
	struct moment *moment;
	struct metrics_place place;
	struct str out;
	size_t sent;
};

struct metrics {
	struct daemon *daemon;
	struct metrics_listen listen;	/* in force; port 0: nowhere */
	struct metrics_listen prepared; /* of the model that may be */
	struct metrics_daemon known;
	struct loop_source *source, *retry;
	int fd, prepared_fd; /* -1: none */
	struct moment moments[MOMENTS_MAX];
	struct guests guests;
	struct connection connections[CONNECTIONS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* ---- moments ---- */

static void moment_leave(struct moment *moment)
{
	if (!moment || --moment->users)
		return;
	loop_stop_timer(moment->timer);
	metrics_take_fini(&moment->taking);
	moment->ready = false;
}

/* One that is being taken or is fresh, or a new one; NULL: all are in use by slow peers. */
static struct moment *moment_join(struct metrics *metrics)
{
	struct moment *free_one = NULL;

	for (size_t i = 0; i < MOMENTS_MAX; i++) {
		struct moment *moment = &metrics->moments[i];

		if (!moment->users)
			free_one = moment;
		else if (!moment->ready || now_ms() - moment->at <= FRESH_MS) {
			moment->users++;
			return moment;
		}
	}
	if (!free_one)
		return NULL;
	free_one->users = 1;
	free_one->taking = (struct metrics_taking){};
	loop_set_timer(free_one->timer, 0, 0);
	return free_one;
}

/* ---- connections ---- */

static void hang_up(struct connection *connection)
{
	moment_leave(take_ptr(connection->moment));
	str_fini(&connection->out);
	guest_leave(&connection->guest);
}

static void begin_answer(struct connection *connection)
{
	connection->state = STATE_ANSWER;
	loop_set_timer(connection->guest.deadline, ANSWER_MS, 0);
	loop_set_events(connection->guest.source, EPOLLOUT);
}

static const char *phrase_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Bad Request";
	}
}

/* A short answer in words. */
static void answer_words(struct connection *connection, int status, const char *words)
{
	str_add(&connection->out,
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n%s"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
		status, phrase_of(status), status == 405 ? "Allow: GET\r\n" : "", strlen(words) + 1,
		words);
	connection->last = true;
	begin_answer(connection);
}

static void answer_metrics(struct connection *connection)
{
	str_add(&connection->out,
		"HTTP/1.1 200 OK\r\nContent-Type: " CONTENT_TYPE "\r\n%sConnection: close\r\n\r\n",
		connection->chunked ? "Transfer-Encoding: chunked\r\n" : "");
	begin_answer(connection);
}

static void serve_request(struct connection *connection, const struct request *request)
{
	connection->chunked = request->minor > 0;
	if (request->framing != FRAMING_NONE) {
		answer_words(connection, 400, "a request here has no body");
		return;
	}
	if (request->form == TARGET_ASTERISK || !slice_equal(request->path, SLICE("/metrics"))) {
		answer_words(connection, 404, "there is nothing but /metrics");
		return;
	}
	if (request->method != METHOD_GET) {
		answer_words(connection, 405, "metrics are for reading: GET");
		return;
	}
	connection->moment = moment_join(connection->metrics);
	if (!connection->moment) {
		answer_words(connection, 503, "too many slow readers at once; try again");
		return;
	}
	connection->state = STATE_WAITING;
	loop_set_timer(connection->guest.deadline, ANSWER_MS, 0);
	loop_set_events(connection->guest.source, 0);
	if (connection->moment->ready)
		answer_metrics(connection);
}

/* -errno: the peer has gone. */
static int read_request(struct connection *connection)
{
	const struct head_limits limits = { HEAD_MAX, FIELDS_MAX };
	ssize_t got = recv(connection->guest.fd, connection->request + connection->size,
			   HEAD_MAX - connection->size, MSG_DONTWAIT);
	struct request request;
	int r;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!got)
		return -ECONNRESET;
	connection->size += got;
	connection->head.bytes = connection->request;
	connection->head.size = connection->size;
	r = request_parse(&connection->head, &limits, &request);
	if (!r && connection->size == HEAD_MAX)
		r = -431;
	if (r < 0)
		answer_words(connection, -r, connection->head.why ?: "the request is too large");
	else if (r > 0)
		serve_request(connection, &request);
	return 0;
}

/* The next part of the text, once the last one is out. */
static void fill(struct connection *connection)
{
	_cleanup_(str_fini) struct str part = {};

	connection->out.size = connection->sent = 0;
	metrics_text_write(connection->moment->taking.snapshot, &connection->place, PART, &part);
	connection->last = connection->place.metric == METRICS_COUNT;
	if (part.size && connection->chunked)
		str_add(&connection->out, "%zx\r\n%s\r\n", part.size, part.text);
	else if (part.size)
		str_add(&connection->out, "%s", part.text);
	if (connection->last && connection->chunked)
		str_add(&connection->out, "0\r\n\r\n");
	if (part.failed)
		connection->out.failed = true;
}

/* One part at a time: the loop has others to serve. */
static int write_answer(struct connection *connection)
{
	struct str *out = &connection->out;
	ssize_t sent;

	if (connection->sent == out->size && !connection->last)
		fill(connection);
	if (out->failed)
		return -ENOMEM;
	sent = send(connection->guest.fd, out->text + connection->sent,
		    out->size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	connection->sent += sent;
	if (connection->sent < out->size || !connection->last)
		return 0;
	/* Closed with bytes unread, the connection would be reset, and the answer with it. */
	shutdown(connection->guest.fd, SHUT_WR);
	connection->state = STATE_LINGER;
	loop_set_timer(connection->guest.deadline, LINGER_MS, 0);
	loop_set_events(connection->guest.source, EPOLLIN);
	return 0;
}

static int discard(struct connection *connection)
{
	char bytes[4096];
	ssize_t got = recv(connection->guest.fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return got ? 0 : -ECONNRESET;
}

static void on_connection(void *user, uint32_t events)
{
	struct connection *connection = user;
	int r = 0;

	if (events & (EPOLLERR | EPOLLHUP))
		r = -ECONNRESET;
	else if (connection->state == STATE_REQUEST)
		r = read_request(connection);
	else if (connection->state == STATE_ANSWER)
		r = write_answer(connection);
	else if (connection->state == STATE_LINGER)
		r = discard(connection);
	if (r < 0)
		hang_up(connection);
}

static void on_deadline(void *user, uint32_t expirations)
{
	(void)expirations;
	hang_up(user);
}

static void on_moment(void *user, uint32_t expirations)
{
	struct moment *moment = user;
	struct metrics *metrics = moment->metrics;
	int r = metrics_take(metrics->daemon, &metrics->known, &moment->taking);

	(void)expirations;
	if (r > 0) {
		loop_set_timer(moment->timer, 0, 0);
		return;
	}
	moment->ready = !r;
	moment->at = now_ms();
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &metrics->connections[i];

		if (connection->guest.fd < 0 || connection->moment != moment)
			continue;
		if (!r) {
			answer_metrics(connection);
			continue;
		}
		moment_leave(take_ptr(connection->moment));
		answer_words(connection, 500, "the counters cannot be read");
	}
}

static void on_accept(void *user, uint32_t events)
{
	struct metrics *metrics = user;
	struct connection *connection = guest_accept(&metrics->guests, metrics->fd);

	(void)events;
	if (connection)
		connection->metrics = metrics;
}

/* ---- where it listens ---- */

static bool same_listen(const struct metrics_listen *a, const struct metrics_listen *b)
{
	return a->port == b->port && addr_equal(&a->address, &b->address);
}

static int open_listen(const struct metrics_listen *listen_at, int *ret, struct err *err)
{
	char text[ADDR_PORT_TEXT_MAX];
	struct sockaddr_storage name;
	socklen_t size = sock_address(&listen_at->address, listen_at->port, &name);
	_cleanup_(closep) int fd =
		socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	addr_print_port(&listen_at->address, listen_at->port, text);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&name, size) || listen(fd, CONNECTIONS_MAX))
		return err_set(err, -errno, "metrics.listen %s: %s%s", text, strerror(errno),
			       errno == EACCES ? "; take a port from 1024 on" : "");
	*ret = take_fd(&fd);
	return 0;
}

static void close_listen(struct metrics *metrics)
{
	loop_remove(take_ptr(metrics->source));
	if (metrics->fd >= 0)
		close(take_fd(&metrics->fd));
}

static void watch(struct metrics *metrics)
{
	int r = loop_add_fd(metrics->daemon->loop, metrics->fd, EPOLLIN,
			    (struct loop_call){ on_accept, metrics }, &metrics->source);
	char text[ADDR_PORT_TEXT_MAX];

	addr_print_port(&metrics->listen.address, metrics->listen.port, text);
	if (r < 0)
		log_error("metrics: event loop: %s", strerror(-r));
	else
		log_info("metrics: http://%s/metrics", text);
}

/* The address may come later, or be let go by another. */
static void on_retry(void *user, uint32_t expirations)
{
	struct metrics *metrics = user;

	(void)expirations;
	if (metrics->fd >= 0 || !metrics->listen.port)
		return;
	if (open_listen(&metrics->listen, &metrics->fd, NULL) < 0)
		loop_set_timer(metrics->retry, RETRY_MS, 0);
	else
		watch(metrics);
}

int metrics_prepare(struct metrics *metrics, const struct model *model, bool accepted,
		    struct err *err)
{
	const struct metrics_listen *wanted = &model->metrics;
	struct err why = {};
	int r;

	metrics_abandon(metrics);
	metrics->prepared = *wanted;
	if (!wanted->port || (metrics->fd >= 0 && same_listen(wanted, &metrics->listen)))
		return 0;
	/* Its own socket may be in the way: of all addresses, or of one. */
	if (wanted->port == metrics->listen.port)
		close_listen(metrics);
	r = open_listen(wanted, &metrics->prepared_fd, &why);
	if (r < 0 && accepted) {
		log_error("%s; it is tried again", why.text);
		return 0;
	}
	if (r < 0 && err)
		*err = why;
	return r;
}

void metrics_abandon(struct metrics *metrics)
{
	if (metrics->prepared_fd >= 0)
		close(take_fd(&metrics->prepared_fd));
	metrics->prepared = metrics->listen;
	on_retry(metrics, 0);
}

/* What is in force is number so and so of the history. */
static void look_up_configuration(struct metrics *metrics)
{
	_cleanup_(history_fini) struct history history = {};

	if (history_load(metrics->daemon->options->instance, &history, NULL) < 0 ||
	    !history.list.count)
		return;
	metrics->known.configuration = history.list.items[history.list.count - 1].number;
	metrics->known.configuration_time = history.list.items[history.list.count - 1].when;
}

void metrics_follow(struct metrics *metrics)
{
	bool kept = metrics->fd >= 0 && same_listen(&metrics->prepared, &metrics->listen);

	if (metrics->prepared.port)
		look_up_configuration(metrics);
	if (kept)
		return;
	close_listen(metrics);
	metrics->listen = metrics->prepared;
	metrics->fd = take_fd(&metrics->prepared_fd);
	if (metrics->fd >= 0)
		watch(metrics);
	else if (metrics->listen.port)
		loop_set_timer(metrics->retry, RETRY_MS, 0);
}

/* ---- lifetime ---- */

static int start(struct metrics *metrics)
{
	struct loop *loop = metrics->daemon->loop;
	int r = loop_add_timer(loop, (struct loop_call){ on_retry, metrics }, &metrics->retry);

	for (size_t i = 0; !r && i < MOMENTS_MAX; i++) {
		struct moment *moment = &metrics->moments[i];

		moment->metrics = metrics;
		r = loop_add_timer(loop, (struct loop_call){ on_moment, moment }, &moment->timer);
	}
	return r;
}

int metrics_start(struct daemon *daemon, struct err *err)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	struct timespec now;
	int r;

	if (!metrics)
		return err_set(err, -ENOMEM, "out of memory");
	metrics->daemon = daemon;
	metrics->fd = metrics->prepared_fd = -1;
	metrics->guests = (struct guests){
		.loop = daemon->loop,
		.seats = metrics->connections,
		.count = CONNECTIONS_MAX,
		.size = sizeof(metrics->connections[0]),
		.patience = REQUEST_MS,
		.on_event = on_connection,
		.on_deadline = on_deadline,
	};
	guest_seats(&metrics->guests);
	clock_gettime(CLOCK_REALTIME, &now);
	metrics->known.start = now.tv_sec + now.tv_nsec / 1000000 / 1e3;
	daemon->metrics = metrics;
	r = start(metrics);
	return r < 0 ? err_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

void metrics_stop(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (metrics->connections[i].guest.fd >= 0)
			hang_up(&metrics->connections[i]);
	for (size_t i = 0; i < MOMENTS_MAX; i++)
		loop_remove(metrics->moments[i].timer);
	close_listen(metrics);
	if (metrics->prepared_fd >= 0)
		close(metrics->prepared_fd);
	loop_remove(metrics->retry);
	free(metrics);
}
