#include "http/character.h"

// The grammar's corners, checked where the table is made.
namespace rw::http {

static_assert(is('_', token_char) && !is('_', name_char));
static_assert(!is(':', token_char) && !is(' ', token_char) && !is('\x7f', token_char));
static_assert(is('\t', value_char) && is('\x80', value_char) && is('\xff', value_char));
static_assert(!is('\r', value_char) && !is('\n', value_char) && !is('\0', value_char));
static_assert(!is('#', target_char) && !is('\x80', target_char) && is('|', target_char));
static_assert(!is('%', path_char) && !is('?', path_char) && !is('\\', path_char));
static_assert(is('_', host_char) && !is(':', host_char) && !is('@', host_char));
static_assert(hex_value('0') == 0 && hex_value('a') == 10 && hex_value('F') == 15);

}  // namespace rw::http
