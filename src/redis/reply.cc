#include "redis/reply.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace rw::redis {
namespace {

// hiredis makes objects by these; ours are places in the one reply that there is. Null ends the
// reading: for what nobody asks for.

reply& of(const redisReadTask* task) noexcept { return *static_cast<reply*>(task->privdata); }

bool is_inner(const redisReadTask* task) noexcept { return task->parent != nullptr; }

void* put_text(const redisReadTask* task, char* bytes, std::size_t size) noexcept {
  reply& out = of(task);
  if (is_inner(task)) {
    if (!out.takes_texts) return nullptr;
    out.texts.emplace_back(bytes, size);
    return &out;
  }
  out.what = task->type == REDIS_REPLY_ERROR ? reply::kind::error : reply::kind::text;
  out.count = std::min(size, out.text_bytes.size());
  std::memcpy(out.text_bytes.data(), bytes, out.count);
  return &out;
}

// The number's type is another one in hiredis 1.0.
template <class Number>
void* put_array(const redisReadTask* task, Number elements) noexcept {
  if (is_inner(task) || static_cast<std::size_t>(elements) > reply::numbers_max) return nullptr;
  reply& out = of(task);
  out.what = reply::kind::array;
  out.count = 0;
  out.texts.clear();
  return &out;
}

void* put_number(const redisReadTask* task, long long number) noexcept {
  reply& out = of(task);
  if (is_inner(task) && out.takes_texts) return nullptr;
  if (is_inner(task)) {
    out.numbers[out.count++] = number;
  } else {
    out.what = reply::kind::number;
    out.numbers[0] = number;
    out.count = 1;
  }
  return &out;
}

void* put_nil(const redisReadTask* task) noexcept {
  if (is_inner(task)) return nullptr;
  of(task).what = reply::kind::nil;
  return &of(task);
}

void keep(void*) noexcept {}

// RESP3 alone has these, which nobody has asked to speak.
template <class Functions>
void refuse_resp3(Functions& made) noexcept {
  if constexpr (requires { made.createDouble; }) {
    made.createDouble = [](const redisReadTask*, double, char*, std::size_t) -> void* {
      return nullptr;
    };
    made.createBool = [](const redisReadTask*, int) -> void* { return nullptr; };
  }
}

redisReplyObjectFunctions make_functions() noexcept {
  redisReplyObjectFunctions made{};
  made.createString = &put_text;
  made.createArray = &put_array;
  made.createInteger = &put_number;
  made.createNil = &put_nil;
  made.freeObject = &keep;
  refuse_resp3(made);
  return made;
}

}  // namespace

void reply_reader::freed::operator()(redisReader* one) const noexcept { redisReaderFree(one); }

reply_reader::reply_reader(bool takes_texts) : reply_(std::make_unique<redis::reply>()) {
  reply_->takes_texts = takes_texts;
  static redisReplyObjectFunctions functions = make_functions();  // never written again
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  RW_ASSERT(reader_ != nullptr);
  reader_->privdata = reply_.get();
}

reply_reader::~reply_reader() = default;

void reply_reader::feed(std::string_view bytes) noexcept {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

reply_reader::outcome reply_reader::next() noexcept {
  void* made = nullptr;
  if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) return outcome::garbage;
  if (made != nullptr) return outcome::whole;
  return reader_->len - reader_->pos > unfinished_bytes_max ? outcome::garbage : outcome::partial;
}

}  // namespace rw::redis
