/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What health checks have found out about an endpoint. The daemon writes it beside the endpoint's
 * row (struct weir_endpoint_info), so that people see it without a daemon and the next daemon goes
 * on from it; BPF sees only the row's state.
 */
#ifndef WEIR_HEALTH_H
#define WEIR_HEALTH_H

#include <linux/types.h>

enum weir_health_state {
	WEIR_HEALTH_UNCHECKED = 0,
	WEIR_HEALTH_UNKNOWN = 1, /* no probe has ended yet: counts as normal */
	WEIR_HEALTH_NORMAL = 2,
	WEIR_HEALTH_ABNORMAL = 3,
};

/* Why a probe failed: X(NAME, "name", "in words"). The words go on where `detail` says more. */
#define WEIR_HEALTH_REASONS(X)                                                                     \
	X(NONE, "none", "passed")                                                                  \
	X(REFUSED, "refused", "connection refused")                                                \
	X(UNREACHABLE, "unreachable", "unreachable")                                               \
	X(CONNECT_TIMEOUT, "connect_timeout", "no answer to the connection attempt in time")       \
	X(RESET, "reset", "connection reset")                                                      \
	X(SOCKET, "socket", "socket error")                                                        \
	X(CLOSED, "closed", "connection closed before an answer")                                  \
	X(ANSWER_TIMEOUT, "answer_timeout", "connected, but no answer in time")                    \
	X(STATUS, "status", "HTTP status")                                                         \
	X(NOT_HTTP, "not_http", "the answer is not HTTP")                                          \
	X(TOO_LONG, "too_long", "the answer's status line is too long")                            \
	X(TLS, "tls", "the TLS handshake failed")                                                  \
	X(TLS_TIMEOUT, "tls_timeout", "connected, but the TLS handshake did not end in time")      \
	X(EXPIRED, "expired", "the certificate has expired")                                       \
	X(NOT_YET, "not_yet", "the certificate is not valid yet")                                  \
	X(SELF_SIGNED, "self_signed", "the certificate is self-signed")                            \
	X(UNTRUSTED, "untrusted", "the certificate is not signed by anybody who is trusted")       \
	X(NAME, "name", "the certificate is for another name")                                     \
	X(CERTIFICATE, "certificate", "the certificate is not valid, OpenSSL's error")

enum weir_health_reason {
#define WEIR_HEALTH_ENUM(name, text, words) WEIR_HEALTH_##name,
	WEIR_HEALTH_REASONS(WEIR_HEALTH_ENUM)
#undef WEIR_HEALTH_ENUM
	WEIR_HEALTH_REASON_COUNT,
};

struct weir_health {
	__u8 state;	/* enum weir_health_state */
	__u8 reason;	/* enum weir_health_reason, of the last probe that failed; NONE once the
			 * endpoint is normal and its last probe passed */
	__u16 detail;	/* of the reason: an errno, an HTTP status, OpenSSL's code */
	__u8 streak;	/* last probes in a row that speak against the state */
	__u8 threshold; /* as many change it */
	__u16 pad;
	__u64 since;   /* s, CLOCK_REALTIME: of the state */
	__u32 latency; /* us, of the last probe that passed */
	__u32 changes; /* between normal and abnormal, ever */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct weir_health) == 24, "health");
#endif

#endif
