/* wolfSSL build options of this project. Included by the assembly files too: declarations only outside of them. */
#ifndef RW_WOLFSSL_USER_SETTINGS_H
#define RW_WOLFSSL_USER_SETTINGS_H

/* platform */
#define WOLFSSL_X86_64_BUILD
#define HAVE___UINT128_T 1
#define SIZEOF_LONG 8
#define SIZEOF_LONG_LONG 8
#define HAVE_THREAD_LS
#define HAVE_LIMITS_H 1
#define HAVE_GETPID 1
#define HAVE_ERRNO_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_GMTIME_R 1              /* else the dates of certificates are checked in one buffer for all threads */
#define WOLFSSL_HAVE_ATOMIC_H
#define WOLFSSL_HAVE_ASSERT_H
#define HAVE_C___ATOMIC 1
#define ERROR_QUEUE_PER_THREAD
#define WC_NO_ASYNC_THREADING
#define NO_DO178
#define WOLFSSL_IGNORE_FILE_WARN
#define WOLFSSL_USER_IO             /* no socket calls in the library: our callbacks only */
#define NO_WRITEV
#define NO_MAIN_DRIVER

/* Intel assembly, chosen at run time by cpuid */
#define USE_INTEL_SPEEDUP
#define WOLFSSL_AESNI
#define WOLFSSL_USE_ALIGN

/* big numbers: SP for 2048/3072/4096 and P-256/384/521, sp_int for the rest up to 8192 bits */
#define WOLFSSL_HAVE_SP_RSA

#define WOLFSSL_HAVE_SP_ECC
#define WOLFSSL_SP_4096
#define WOLFSSL_SP_384
#define WOLFSSL_SP_521
#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_SP_LARGE_CODE
#define WOLFSSL_SP_ASM
#define WOLFSSL_SP_X86_64
#define WOLFSSL_SP_X86_64_ASM
#define SP_INT_BITS 8192
#define TFM_TIMING_RESISTANT
#define ECC_TIMING_RESISTANT
#define WC_RSA_BLINDING

/* algorithms */
#define HAVE_ECC
#define ECC_SHAMIR
#define ECC_MIN_KEY_SZ 256
#define HAVE_ECC384
#define HAVE_ECC521
#define HAVE_CURVE25519
#define HAVE_ED25519
#define WC_RSA_PSS
#define WOLFSSL_PSS_LONG_SALT
#define HAVE_AESGCM
#define GCM_SMALL                   /* no 512-byte table in each Aes (-1 KiB per connection); only the non-AES-NI fallback gets slower */
#define HAVE_CHACHA
#define HAVE_POLY1305
#define WOLFSSL_SHA224
#define WOLFSSL_SHA384
#define WOLFSSL_SHA512
#define WOLFSSL_SHA3
#define WOLFSSL_SHAKE128
#define WOLFSSL_SHAKE256
#define HAVE_HKDF
#define CUSTOM_RAND_GENERATE_BLOCK rw_kernel_random     /* random_kernel.c says why */
#ifndef __ASSEMBLER__
#ifdef __cplusplus
extern "C"
#endif
int rw_kernel_random(unsigned char* out, unsigned int size);
#endif
#define WOLFSSL_BASE64_ENCODE
#define WOLFSSL_HAVE_MLKEM
#define WOLFSSL_PQC_HYBRIDS
#define WOLFSSL_TLS_NO_MLKEM_STANDALONE
#define NO_DSA
#define NO_DH                       /* no FFDHE: else one of HAVE_FFDHE_* must be set for TLS 1.3 */
#define NO_RC4
#define NO_MD4
#define NO_MD5
#define NO_DES3
#define NO_DES3_TLS_SUITES
#define NO_PSK

/* TLS */
#define NO_OLD_TLS
#define WOLFSSL_TLS13
#define WOLFSSL_TLS13_MIDDLEBOX_COMPAT  /* RFC 8446 D.4 */
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_EXTENDED_MASTER

#define HAVE_SERVER_RENEGOTIATION_INFO
#define HAVE_SNI
#define HAVE_ALPN
#define HAVE_SESSION_TICKET
#define WOLFSSL_NO_DEF_TICKET_ENC_CB    /* our own keys only */
#define MICRO_SESSION_CACHE             /* never used; the least of it that links */
#define WOLFSSL_EXTRA_ALERTS            /* the peer learns why, also where wolfSSL would just close */
#define WOLFSSL_IP_ALT_NAME             /* 5.7 skips addresses in a subjectAltName without it */
#define HAVE_OCSP
#define HAVE_CERTIFICATE_STATUS_REQUEST

#define HAVE_CRL
#define HAVE_SECRET_CALLBACK
#define ATOMIC_USER                 /* for wolfSSL_GetSequenceNumber and the key getters, which kernel TLS needs; 16 bytes per connection */
#define HAVE_KEYING_MATERIAL
#define WOLFSSL_ALWAYS_VERIFY_CB    /* the verify callback sees every certificate, good or bad: identity is taken there */
#define WOLFSSL_ALT_CERT_CHAINS         /* a server may send more than the way to a trusted authority: cross-signed roots */
#define WOLFSSL_SYS_CA_CERTS

#ifdef RW_EXTRA_SETTINGS_H
#include RW_EXTRA_SETTINGS_H
#endif
#endif
