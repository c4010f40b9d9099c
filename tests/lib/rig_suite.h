/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The hooks that make and remove the rig's instance, for the one file of a test program. */
#ifndef TESTS_LIB_RIG_SUITE_H
#define TESTS_LIB_RIG_SUITE_H

#include <criterion/criterion.h>
#include <criterion/hooks.h>

#include "rig.h"

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	(void)tests;
	rig_make_instance();
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	(void)stats;
	rig_remove_instance();
}

#define RIG_SUITE(suite) TestSuite(suite, .init = rig_up, .fini = rig_down)

#endif
