// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "net/cookies.h"

#include <stdio.h>

#include "util/cleanup.h"

#define TIMESTAMPS "/proc/sys/net/ipv4/tcp_timestamps"
#define BUFFERS	   "/proc/sys/net/ipv4/tcp_rmem"
#define BUFFER_MOST                                                                                \
	"/proc/sys/net/core/rmem_max" /* older kernels show it in the first namespace alone */
#define WINDOW_BITS 16
#define WSCALE_MOST 14

bool cookies_have_times(void)
{
	_cleanup_(fclosep) FILE *file = fopen(TIMESTAMPS, "re");
	unsigned setting;

	return file && fscanf(file, "%u", &setting) == 1 && setting == 2;
}

/* tcp_select_initial_window() of net/ipv4/tcp_output.c. */
uint8_t cookies_wscale(void)
{
	_cleanup_(fclosep) FILE *buffers = fopen(BUFFERS, "re");
	_cleanup_(fclosep) FILE *most = fopen(BUFFER_MOST, "re");
	unsigned long room = 0, largest;
	uint8_t scale = 0;

	if (buffers && fscanf(buffers, "%*u %*u %lu", &largest) == 1)
		room = largest;
	if (most && fscanf(most, "%lu", &largest) == 1 && largest > room)
		room = largest;
	while (scale < WSCALE_MOST && room >> (scale + WINDOW_BITS))
		scale++;
	return scale;
}
