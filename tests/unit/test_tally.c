// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goal: what workers count beside the maps is added up over their blocks, whoever has ended; no two
 * that live share one; rows are found by name again, in another process and after another; what is
 * no such file is refused, and made anew by the daemon alone.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "plan/support.h"
#include "proxy/tally.h"

#define WORKERS 5

static char path[64];

static struct tally *make(void)
{
	struct tally *tally;
	struct err err = {};

	snprintf(path, sizeof(path), "/tmp/weir-tally-%d", getpid());
	cr_assert_eq(tally_make(path, &tally, &err), 0, "%s", err.text);
	return tally;
}

static struct tally_listener sum_of(struct tally *tally, const char *listener)
{
	struct tally_listener sum;

	cr_assert_eq(tally_refresh(tally), 0);
	tally_sum_listener(tally, tally_find_listener(tally, listener), &sum);
	return sum;
}

struct worker {
	uint32_t block;
	struct tally *tally;
};

static struct worker begin(struct tally *tally)
{
	struct worker worker = {};

	int fd = tally_lend(tally, &worker.block);

	cr_assert_geq(fd, 0);
	cr_assert_eq(tally_attach(fd, worker.block, &worker.tally), 0);
	return worker;
}

static struct tally_listener *listener_of(struct worker *worker, const char *name)
{
	int row = tally_find_listener(worker->tally, name);

	cr_assert_geq(row, 0);
	return &tally_own(worker->tally)->listeners[row];
}

static void end(struct worker *worker)
{
	tally_free(worker->tally); /* and with its descriptor it is dead */
}

Test(tally, blocks)
{
	_cleanup_(tally_freep) struct tally *tally = make();
	struct worker workers[WORKERS];
	struct tally_listener sum;

	cr_assert_eq(tally_name_listener(tally, "web"), 0);
	cr_assert_eq(sum_of(tally, "web").connections, 0);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = begin(tally);
		cr_expect_eq(workers[i].block, (uint32_t)i, "nobody shares a block");
		tally_add(&listener_of(&workers[i], "web")->ends[ACCESSLOG_DONE], 10);
		tally_add(&listener_of(&workers[i], "web")->took[i], 10);
		tally_add(&listener_of(&workers[i], "web")->took_us, 1000);
		tally_add(&listener_of(&workers[i], "web")->connections, 3);
		tally_add(&listener_of(&workers[i], "web")->requests, 2);
		tally_add(&tally_own(workers[i].tally)->lines_lost, 7);
	}
	end(&workers[1]);
	sum = sum_of(tally, "web");
	cr_expect_eq(sum.ends[ACCESSLOG_DONE], 50, "what the dead have counted is not forgotten");
	cr_expect_eq(sum.took[1], 10);
	cr_expect_eq(sum.took_us, 5000);
	cr_expect_eq(sum.connections, 12, "but they have no connections any more");
	cr_expect_eq(sum.requests, 8);
	cr_expect_eq(tally_lines_lost(tally), 35);
	workers[1] = begin(tally);
	cr_expect_eq(workers[1].block, 1, "the next one takes their block");
	sum = sum_of(tally, "web");
	cr_expect_eq(sum.ends[ACCESSLOG_DONE], 50);
	cr_expect_eq(sum.connections, 12, "with no connection yet");
	for (int i = 0; i < WORKERS; i++)
		end(&workers[i]);
	unlink(path);
}

Test(tally, rows)
{
	static const char text[] =
		"version: 1\n"
		"listeners:\n"
		"  - name: web\n"
		"    protocol: http\n"
		"    address: 192.0.2.1\n"
		"    port: 80\n"
		"    endpoint_groups: [{ name: main, endpoints: [10.0.0.1 weight 1] }]\n"
		"    forwarding_rules:\n"
		"      - { name: hush, path: /a, drop: true }\n"
		"      - { path: /b, drop: true }\n"
		"      - { path: /b, method: GET, drop: true }\n"
		"      - { path: /c, source_ip: 10.0.0.0/8, drop: true }\n"
		"      - { path: /c, source_ip: 10.0.0.0/9, drop: true }\n";
	_cleanup_(model_freep) struct model *model = support_parse(text);
	const struct http *http = model->listeners.items[0].http;
	_cleanup_(tally_freep) struct tally *tally = make(), *other = NULL;
	struct worker worker = begin(tally);

	cr_assert_eq(tally_find_listener(worker.tally, "web"), -ENOENT);
	cr_assert_eq(http->rules.count, 5);
	cr_expect_eq(tally_name_listener(tally, "web"), 0);
	cr_expect_eq(tally_name_listener(tally, "web2"), 1);
	for (int i = 4; i >= 0; i--)
		cr_expect_eq(tally_name_rule(tally, "web", &http->rules.items[i]), 4 - i);
	cr_expect_eq(tally_name_rule(tally, "web2", &http->rules.items[0]), 5);
	cr_expect_eq(tally_find_listener(worker.tally, "web"), 0, "it was named meanwhile");
	for (int i = 0; i < 5; i++) {
		int row = tally_find_rule(worker.tally, "web", &http->rules.items[i]);

		cr_expect_eq(row, 4 - i);
		tally_add(&tally_own(worker.tally)->rules[row], 1 << i);
	}
	cr_assert_eq(tally_open(path, &other, NULL), 0);
	for (int i = 0; i < 5; i++)
		cr_expect_eq(
			tally_sum_rule(other, tally_find_rule(other, "web", &http->rules.items[i])),
			1u << i, "by name or conditions, wherever it stands");
	cr_expect_eq(tally_find_listener(other, "we"), -ENOENT);
	cr_expect_eq(tally_sum_rule(other, -ENOENT), 0);
	end(&worker);
	unlink(path);
}

Test(tally, endpoints)
{
	_cleanup_(tally_freep) struct tally *tally = make(), *other = NULL;
	struct addr one = support_addr("10.0.0.1"), two = support_addr("10.0.0.2");
	struct tally_name name = { "web", "main", "a", &one, 80 };
	struct tally_sight sight;
	struct worker workers[3];

	for (int i = 0; i < 2; i++)
		workers[i] = begin(tally);
	cr_assert_eq(tally_name_endpoint(tally, &name), 0);
	name.port = 81;
	cr_assert_eq(tally_name_endpoint(tally, &name), 1);
	name.address = &two;
	cr_assert_eq(tally_name_endpoint(tally, &name), 2);
	name.group = "ma";
	cr_assert_eq(tally_find_endpoint(workers[0].tally, &name), -ENOENT);
	name.group = "main";
	cr_assert_eq(tally_find_endpoint(workers[0].tally, &name), 2);

	/* What one knows all know. */
	tally_endpoint(workers[0].tally, 2)->failures = 7;
	cr_expect_eq(tally_endpoint(workers[1].tally, 2)->failures, 7);
	cr_expect_eq(tally_endpoint(workers[1].tally, 1)->failures, 0);

	/* Five in all, whoever has them, also those who come later, until they die. */
	cr_expect(tally_take(workers[0].tally, 2, 5) && tally_take(workers[0].tally, 2, 5));
	cr_expect(tally_take(workers[1].tally, 2, 5) && tally_take(workers[1].tally, 2, 5));
	workers[2] = begin(tally);
	cr_expect(tally_take(workers[2].tally, 2, 5));
	for (int i = 0; i < 3; i++)
		cr_expect(!tally_take(workers[i].tally, 2, 5) &&
			  tally_take(workers[i].tally, 1, 5));
	cr_assert_eq(tally_open(path, &other, NULL), 0);
	cr_assert_eq(tally_refresh(other), 0);
	tally_look(other, &name, &sight);
	cr_expect(sight.known && sight.busy == 5 && !sight.aside && !sight.times);
	tally_give(workers[1].tally, 2);
	cr_expect(tally_take(workers[2].tally, 2, 5) && !tally_take(workers[0].tally, 2, 5));
	end(&workers[0]);
	end(&workers[2]);
	cr_assert_eq(tally_refresh(other), 0);
	tally_endpoint(workers[1].tally, 2)->until = UINT64_MAX;
	tally_endpoint(workers[1].tally, 2)->times = 3;
	tally_look(other, &name, &sight);
	cr_expect(sight.busy == 1 && sight.aside && sight.times == 3);
	name.endpoint = "b";
	tally_look(other, &name, &sight);
	cr_expect(!sight.known && !sight.busy && !sight.aside);
	workers[0] = begin(tally);
	cr_expect_eq(workers[0].block, 0);
	for (int i = 0; i < 4; i++)
		cr_expect(tally_take(workers[0].tally, 2, 5), "both dead have given back theirs");
	cr_expect(!tally_take(workers[1].tally, 2, 5));
	end(&workers[0]);
	end(&workers[1]);
	unlink(path);
}

Test(tally, full)
{
	_cleanup_(tally_freep) struct tally *tally = make();
	char name[WEIR_NAME_MAX];

	for (uint32_t i = 0; i < TALLY_LISTENERS; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		cr_assert_eq(tally_name_listener(tally, name), (int)i);
	}
	cr_expect_eq(tally_name_listener(tally, "one more"), -ENOSPC);
	cr_expect_eq(tally_name_listener(tally, "l7"), 7);
	unlink(path);
}

Test(tally, foreign_files)
{
	struct tally *tally = make();
	struct stat status;
	struct err err = {};
	int fd;

	cr_assert_eq(tally_name_listener(tally, "web"), 0);
	tally_free(tally);
	cr_assert_eq(stat(path, &status), 0);
	cr_expect_eq(status.st_mode & 07777, 0640);
	cr_expect_lt(status.st_blocks * 512, 64 << 10, "memory is for what is used");
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "x", 1, 0), 1);
	cr_expect_eq(tally_open(path, &tally, &err), -EPROTO);
	cr_expect(strstr(err.text, "another version"), "%s", err.text);
	cr_assert_eq(ftruncate(fd, 100), 0);
	cr_expect_eq(tally_open(path, &tally, &err), -EPROTO);
	close(fd);
	tally = make();
	cr_expect_eq(tally_find_listener(tally, "web"), -ENOENT, "a new one");
	tally_free(tally);
	unlink(path);
	cr_expect_eq(tally_open(path, &tally, &err), -ENOENT);
}
