/* wolfCrypt's random numbers, straight from the kernel. A generator of its own per connection cost 8 us
 * and 250 bytes each, one shared by a thread could repeat itself after a fork or a snapshot restored
 * twice; a handshake draws four to six times at 0.4 us. */
#include <errno.h>
#include <sys/random.h>

#include <wolfssl/wolfcrypt/settings.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int rw_kernel_random(unsigned char* out, unsigned int size) {
  while (size > 0) {
    ssize_t got = getrandom(out, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return RNG_FAILURE_E;
    }
    out += got;
    size -= (unsigned int)got;
  }
  return 0;
}
