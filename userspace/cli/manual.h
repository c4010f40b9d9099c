/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The manual pages weir(8), weir.yaml(5) and weir-metrics(7), from the tables of verbs, of the
 * configuration and of metrics, in mdoc(7).
 */
#ifndef WEIR_CLI_MANUAL_H
#define WEIR_CLI_MANUAL_H

#include <stdio.h>

void manual_print_command(FILE *out);
void manual_print_configuration(FILE *out);
void manual_print_metrics(FILE *out);

#endif
