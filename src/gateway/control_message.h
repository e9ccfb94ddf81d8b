// What a worker tells the control thread.
#pragma once

#include "io/mailbox.h"

namespace rw::gateway {

// The control thread's inbox has nothing else: it runs each, once, and deletes it.
struct control_message : io::message {
  virtual void run() = 0;
};

}  // namespace rw::gateway
