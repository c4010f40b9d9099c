// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "health/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_PORT 80
#define PIECE	  2048 /* bytes read at once */

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
	case ETIMEDOUT:
		return WEIR_HEALTH_CONNECT_TIMEOUT;
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

static int fail(struct probe *probe, int code)
{
	if (is_ours(code))
		return code;
	probe->result.reason = reason_of(code);
	if (code == -ETIMEDOUT && probe->stage != PROBE_CONNECT)
		probe->result.reason = WEIR_HEALTH_ANSWER_TIMEOUT;
	probe->result.detail = -code;
	return PROBE_DONE;
}

static int socket_address(const struct addr *address, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *ip4 = (struct sockaddr_in *)ret;

	*ret = (struct sockaddr_storage){};
	if (addr_family(address) == AF_INET) {
		ip4->sin_family = AF_INET;
		ip4->sin_port = htons(port);
		memcpy(&ip4->sin_addr, address->bytes + 12, 4);
		return sizeof(*ip4);
	}
	ip6->sin6_family = AF_INET6;
	ip6->sin6_port = htons(port);
	memcpy(&ip6->sin6_addr, address->bytes, 16);
	return sizeof(*ip6);
}

/* As a URL has it: without the port that goes without saying, IPv6 always in brackets. */
static void print_host(const struct addr *address, uint16_t port, char *text, size_t size)
{
	bool ip6 = addr_family(address) == AF_INET6;
	char plain[ADDR_TEXT_MAX];

	addr_print(address, plain);
	if (port == HTTP_PORT)
		snprintf(text, size, ip6 ? "[%s]" : "%s", plain);
	else
		snprintf(text, size, ip6 ? "[%s]:%u" : "%s:%u", plain, port);
}

int probe_question_init(struct probe_question *question, const struct health_check *check,
			const struct addr *address, uint16_t port)
{
	char host[ADDR_PORT_TEXT_MAX];
	int size;

	*question = (struct probe_question){};
	question->to_size = socket_address(address, port, &question->to);
	if (check->protocol == HEALTH_TCP)
		return 0;
	print_host(address, port, host, sizeof(host));
	size = asprintf(&question->request,
			"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: weir/" WEIR_VERSION
			" (health check)\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			check->path, check->host ? check->host : host);
	if (size < 0) {
		question->request = NULL;
		return -ENOMEM;
	}
	question->request_size = size;
	return 0;
}

void probe_question_fini(struct probe_question *question)
{
	free(question->request);
	question->request = NULL;
}

static int send_request(struct probe *probe)
{
	const struct probe_question *question = probe->question;

	while (probe->sent < question->request_size) {
		ssize_t sent = send(probe->fd, question->request + probe->sent,
				    question->request_size - probe->sent, MSG_NOSIGNAL);

		if (sent < 0)
			return errno == EAGAIN ? PROBE_WRITE : fail(probe, -errno);
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

/* One piece at a time: whoever sends without end does not keep the others waiting. */
static int receive_answer(struct probe *probe)
{
	char bytes[PIECE];
	ssize_t size = recv(probe->fd, bytes, sizeof(bytes), 0);

	if (size < 0)
		return errno == EAGAIN ? PROBE_READ : fail(probe, -errno);
	if (!size) {
		probe->result.reason = WEIR_HEALTH_CLOSED;
		return PROBE_DONE;
	}
	return take_answer(probe, http_answer_read(&probe->answer, bytes, size));
}

/* Connected, which is all that a check by TCP wants to know. */
static int connected(struct probe *probe)
{
	if (!probe->question->request)
		return PROBE_DONE;
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

int probe_begin(struct probe *probe, const struct probe_question *question)
{
	struct linger reset = { .l_onoff = 1 };

	*probe = (struct probe){
		.question = question,
		.fd = socket(question->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			     IPPROTO_TCP),
	};
	if (probe->fd < 0)
		return fail(probe, -errno);
	setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	return connect_on(probe);
}

int probe_step(struct probe *probe)
{
	switch (probe->stage) {
	case PROBE_CONNECT:
		return connect_on(probe);
	case PROBE_SEND:
		return send_request(probe);
	default:
		return receive_answer(probe);
	}
}

void probe_time_out(struct probe *probe)
{
	probe->result.reason = probe->stage == PROBE_CONNECT ? WEIR_HEALTH_CONNECT_TIMEOUT
							     : WEIR_HEALTH_ANSWER_TIMEOUT;
}

void probe_end(struct probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}
