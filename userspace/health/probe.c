// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "util/str.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443
#define PIECE	   2048 /* bytes read at once */

/* Not the endpoint's fault: nothing can be said about it. */
static bool is_ours(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM ||
	       code == -EADDRNOTAVAIL || code == -EAFNOSUPPORT || code == -EINTR;
}

static enum weir_health_reason reason_of(int code)
{
	switch (-code) {
	case ECONNREFUSED:
		return WEIR_HEALTH_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return WEIR_HEALTH_RESET;
	case EPROTO:
		return WEIR_HEALTH_TLS;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case EACCES:
	case EPERM:
	case EINVAL: /* a blackhole route */
		return WEIR_HEALTH_UNREACHABLE;
	default:
		return WEIR_HEALTH_SOCKET;
	}
}

static enum weir_health_reason reason_late(const struct probe *probe)
{
	switch (probe->stage) {
	case PROBE_CONNECT:
		return WEIR_HEALTH_CONNECT_TIMEOUT;
	case PROBE_HANDSHAKE:
		return WEIR_HEALTH_TLS_TIMEOUT;
	default:
		return WEIR_HEALTH_ANSWER_TIMEOUT;
	}
}

static int fail(struct probe *probe, int code)
{
	if (is_ours(code))
		return code;
	probe->result.reason = code == -ETIMEDOUT ? reason_late(probe) : reason_of(code);
	probe->result.detail = -code;
	return PROBE_DONE;
}

/* As a URL has it: without the port that goes without saying, IPv6 always in brackets. */
static void print_host(const struct addr *address, uint16_t port, uint16_t own, char *text,
		       size_t size)
{
	bool ip6 = addr_family(address) == AF_INET6;
	char plain[ADDR_TEXT_MAX];

	addr_print(address, plain);
	if (port == own)
		snprintf(text, size, ip6 ? "[%s]" : "%s", plain);
	else
		snprintf(text, size, ip6 ? "[%s]:%u" : "%s:%u", plain, port);
}

/* Whose certificate it must be: without the port, and without the brackets of IPv6. */
static char *server_name(const struct health_check *check, const struct addr *address)
{
	const char *host = check->host, *colon = host ? strrchr(host, ':') : NULL;
	char text[ADDR_TEXT_MAX];

	if (check->server_name)
		return strdup(check->server_name);
	if (!host)
		return strdup(addr_print(address, text));
	if (*host == '[')
		return strndup(host + 1, strcspn(host + 1, "]"));
	return strndup(host, colon ? (size_t)(colon - host) : strlen(host));
}

int probe_question_init(struct probe_question *question, const struct health_check *check,
			const struct addr *address, uint16_t port)
{
	bool secure = check->protocol == HEALTH_HTTPS;
	char host[ADDR_PORT_TEXT_MAX];
	int size;

	*question = (struct probe_question){};
	question->to_size = sock_address(address, port, &question->to);
	if (check->protocol == HEALTH_TCP)
		return 0;
	print_host(address, port, secure ? HTTPS_PORT : HTTP_PORT, host, sizeof(host));
	size = asprintf(&question->request,
			"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: weir/" WEIR_VERSION
			" (health check)\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			check->path, check->host ? check->host : host);
	if (size < 0) {
		question->request = NULL;
		return -ENOMEM;
	}
	question->request_size = size;
	if (!secure)
		return 0;
	question->server_name = server_name(check, address);
	return question->server_name ? 0 : -ENOMEM;
}

void probe_question_fini(struct probe_question *question)
{
	free(question->request);
	free(question->server_name);
	*question = (struct probe_question){};
}

bool probe_question_equal(const struct probe_question *a, const struct probe_question *b)
{
	return a->to_size == b->to_size && !memcmp(&a->to, &b->to, a->to_size) &&
	       a->error == b->error && str_equal(a->request, b->request) &&
	       str_equal(a->server_name, b->server_name);
}

/* Of the probe's request: bytes, or -EAGAIN with what it waits for. */
static ssize_t send_some(struct probe *probe, int *ret_wait)
{
	const char *from = probe->question->request + probe->sent;
	size_t size = probe->question->request_size - probe->sent;
	ssize_t sent;

	if (probe->tls) {
		sent = tls_send(probe->tls, from, size);
		*ret_wait = (int)tls_wait(probe->tls);
		return sent ? sent : -ECONNRESET;
	}
	sent = send(probe->fd, from, size, MSG_NOSIGNAL);
	*ret_wait = PROBE_WRITE;
	return sent < 0 ? -errno : sent;
}

static ssize_t receive_some(struct probe *probe, char *bytes, size_t size, int *ret_wait)
{
	ssize_t received;

	if (probe->tls) {
		received = tls_receive(probe->tls, bytes, size);
		*ret_wait = (int)tls_wait(probe->tls);
		return received;
	}
	received = recv(probe->fd, bytes, size, 0);
	*ret_wait = PROBE_READ;
	return received < 0 ? -errno : received;
}

static int send_request(struct probe *probe)
{
	const struct probe_question *question = probe->question;

	while (probe->sent < question->request_size) {
		int wait;
		ssize_t sent = send_some(probe, &wait);

		if (sent < 0)
			return sent == -EAGAIN ? wait : fail(probe, (int)sent);
		probe->sent += sent;
	}
	probe->stage = PROBE_RECEIVE;
	return PROBE_READ;
}

/* What came has been read: is that all? */
static int take_answer(struct probe *probe, int r)
{
	uint16_t status = probe->answer.status;

	if (r == HTTP_ANSWER_MORE)
		return PROBE_READ;
	if (r == -EBADMSG)
		probe->result.reason = WEIR_HEALTH_NOT_HTTP;
	else if (r == -EMSGSIZE)
		probe->result.reason = WEIR_HEALTH_TOO_LONG;
	else if (status < 200 || status > 399)
		probe->result = (struct probe_result){ WEIR_HEALTH_STATUS, .detail = status };
	return PROBE_DONE;
}

static int receive_piece(struct probe *probe)
{
	char bytes[PIECE];
	int wait;
	ssize_t size = receive_some(probe, bytes, sizeof(bytes), &wait);

	if (size < 0)
		return size == -EAGAIN ? wait : fail(probe, (int)size);
	if (!size) {
		probe->result.reason = WEIR_HEALTH_CLOSED;
		return PROBE_DONE;
	}
	return take_answer(probe, http_answer_read(&probe->answer, bytes, size));
}

/* One piece at a time, or what came with it in a record of TLS, of which the socket says nothing
 * any more: whoever sends without end does not keep the others waiting. */
static int receive_answer(struct probe *probe)
{
	int waits;

	do
		waits = receive_piece(probe);
	while (waits == PROBE_READ && probe->tls && tls_has_more(probe->tls));
	return waits;
}

static int refuse(struct probe *probe)
{
	static const uint8_t reasons[] = {
		[TLS_PROTOCOL] = WEIR_HEALTH_TLS,
		[TLS_EXPIRED] = WEIR_HEALTH_EXPIRED,
		[TLS_NOT_YET] = WEIR_HEALTH_NOT_YET,
		[TLS_SELF_SIGNED] = WEIR_HEALTH_SELF_SIGNED,
		[TLS_UNTRUSTED] = WEIR_HEALTH_UNTRUSTED,
		[TLS_NAME] = WEIR_HEALTH_NAME,
		[TLS_CERTIFICATE] = WEIR_HEALTH_CERTIFICATE,
	};
	int code;

	probe->result.reason = reasons[tls_failure(probe->tls, &code)];
	probe->result.detail = code;
	return PROBE_DONE;
}

static int shake_hands(struct probe *probe)
{
	int r = tls_handshake(probe->tls);

	if (r == -EPROTO)
		return refuse(probe);
	if (r < 0)
		return fail(probe, r);
	if (r > 0)
		return r == TLS_READ ? PROBE_READ : PROBE_WRITE;
	probe->stage = PROBE_SEND;
	return send_request(probe);
}

/* Connected, which is all that a check by TCP wants to know. */
static int connected(struct probe *probe)
{
	const struct probe_question *question = probe->question;
	int r;

	if (!question->request)
		return PROBE_DONE;
	if (question->server_name) {
		r = tls_open(question->trust, probe->fd, question->server_name, &probe->tls);
		probe->stage = PROBE_HANDSHAKE;
		return r < 0 ? r : shake_hands(probe);
	}
	probe->stage = PROBE_SEND;
	return send_request(probe);
}

/* connect(2) says of a socket that is connecting how far it is. */
static int connect_on(struct probe *probe)
{
	const struct probe_question *question = probe->question;

	if (!connect(probe->fd, (const struct sockaddr *)&question->to, question->to_size))
		return connected(probe);
	return errno == EINPROGRESS || errno == EALREADY ? PROBE_WRITE : fail(probe, -errno);
}

/*
 * It ends with a reset, and answers no SYN-ACK by itself: the ACK goes with the request, and where
 * there is none the reset comes instead, so that the endpoint has no connection to accept. Where
 * this cannot be set, it only costs more.
 */
static void set_manners(int fd)
{
	struct linger reset = { .l_onoff = 1 };
	int at_once = 0;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &at_once, sizeof(at_once));
}

int probe_begin(struct probe *probe, const struct probe_question *question)
{
	*probe = (struct probe){ .fd = -1 };
	if (question->error)
		return question->error;
	*probe = (struct probe){
		.question = question,
		.fd = socket(question->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     IPPROTO_TCP),
	};
	if (probe->fd < 0)
		return fail(probe, -errno);
	set_manners(probe->fd);
	return connect_on(probe);
}

int probe_step(struct probe *probe)
{
	switch (probe->stage) {
	case PROBE_CONNECT:
		return connect_on(probe);
	case PROBE_HANDSHAKE:
		return shake_hands(probe);
	case PROBE_SEND:
		return send_request(probe);
	default:
		return receive_answer(probe);
	}
}

void probe_time_out(struct probe *probe)
{
	probe->result.reason = reason_late(probe);
}

void probe_end(struct probe *probe)
{
	tls_close(take_ptr(probe->tls));
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}
