// The part of a snapshot that is about Redis.
#pragma once

#include <memory>

#include "gateway/snapshot.h"
#include "gateway/snapshot_files.h"

namespace rw::gateway {

// Where gateways share anything: how to reach what they share it in. Blocks, as make_snapshot()
// does.
void make_redis(snapshot& s, const snapshot_context& with, file_reader& files);

// With the addresses that its name has by now; that of `from` when those are the same.
std::shared_ptr<const redis::target> redis_with_addresses(const snapshot& from,
                                                          const upstream::address_book& names);

}  // namespace rw::gateway
