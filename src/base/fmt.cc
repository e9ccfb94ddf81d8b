// The compiled part of {fmt}, once for the whole program: header-only it would be compiled again in
// every file that formats, and each of those would take three seconds longer.
#include <fmt/format-inl.h>

namespace fmt::detail {

template void vformat_to(buffer<char>&, string_view, basic_format_args<buffer_context<char>>,
                         locale_ref);
template thousands_sep_result<char> thousands_sep_impl(locale_ref);
template char decimal_point_impl(locale_ref);
template dragonbox::decimal_fp<float> dragonbox::to_decimal(float) noexcept;
template dragonbox::decimal_fp<double> dragonbox::to_decimal(double) noexcept;
template void buffer<char>::append(const char*, const char*);

}  // namespace fmt::detail
