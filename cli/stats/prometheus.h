// Statistics in the text format of Prometheus, version 0.0.4.
//
//     hints.held        gauge    dynamo_hints_held
//     put.count         counter  dynamo_put_total
//     clients.bytes_in  counter  dynamo_clients_in_bytes_total
//     put.latency.p99   summary  dynamo_put_latency_seconds{quantile="0.99"}
//     put.latency.max   gauge    dynamo_put_latency_max_seconds
//
// Threads: any
#pragma once

#include <functional>
#include <string>

#include "cli/stats/sample.h"

namespace dynamo::cli {

/// Every wanted statistic of every node that answered; all samples of a metric stand together.
/// `dynamo_up` says for each node whether it answered.
[[nodiscard]] std::string prometheus_of(const Sample& sample,
                                        const std::function<bool(const std::string&)>& wanted);

}  // namespace dynamo::cli
