// A client of SMB servers on Samba's libsmbclient, for ./dev bench smb:
//   client sign|seal create|remove|list|read URL NUMBER
// create, remove: NUMBER files of 4 KiB in the folder URL, which is made or removed; list: entries of the folder URL
// and their attributes, of whole listings, until there have been NUMBER; read: NUMBER times 4 KiB at random places of
// the file URL, one after another. Prints how many were done and the seconds. User and password are in SMB_USER and
// SMB_PASSWORD. Exit status 1 and a message: something failed.
#include <errno.h>
#include <fcntl.h>
#include <libsmbclient.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { BLOCK = 4096 };

static void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static void log_on(const char* server, const char* share, char* domain, int domain_size, char* user, int user_size,
                   char* password, int password_size) {
  (void)server, (void)share, (void)domain, (void)domain_size;
  snprintf(user, (size_t)user_size, "%s", getenv("SMB_USER"));
  snprintf(password, (size_t)password_size, "%s", getenv("SMB_PASSWORD"));
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void create(const char* folder, long number) {
  char name[1024], block[BLOCK];
  memset(block, 'x', sizeof block);
  for (long i = 0; i < number; i++) {
    snprintf(name, sizeof name, "%s/some longer file name %06ld.txt", folder, i);
    int file = smbc_open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (file < 0 || smbc_write(file, block, BLOCK) != BLOCK || smbc_close(file) != 0) fail(name);
  }
}

static void remove_all(const char* folder, long number) {
  char name[1024];
  for (long i = 0; i < number; i++) {
    snprintf(name, sizeof name, "%s/some longer file name %06ld.txt", folder, i);
    if (smbc_unlink(name) != 0) fail(name);
  }
  if (smbc_rmdir(folder) != 0) fail(folder);
}

static void list(const char* folder, long number) {
  for (long found = 0; found < number;) {
    const long before = found;
    int directory = smbc_opendir(folder);
    if (directory < 0) fail(folder);
    struct stat attributes;
    while (smbc_readdirplus2(directory, &attributes)) found += attributes.st_size > 0 && !S_ISDIR(attributes.st_mode);
    smbc_closedir(directory);
    errno = 0;
    if (found == before) fail("no entries");
  }
}

static void read_at_random(const char* name, long number) {
  char block[BLOCK];
  struct stat attributes;
  int file = smbc_open(name, O_RDONLY, 0);
  if (file < 0 || smbc_fstat(file, &attributes) != 0) fail(name);
  uint64_t random = 88172645463325252u;  // xorshift: the same places for every server
  for (long i = 0; i < number; i++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    off_t at = (off_t)(random % (uint64_t)(attributes.st_size / BLOCK)) * BLOCK;
    if (smbc_lseek(file, at, SEEK_SET) != at || smbc_read(file, block, BLOCK) != BLOCK) fail(name);
  }
  smbc_close(file);
}

int main(int argc, char** argv) {
  if (argc != 5 || !getenv("SMB_USER") || !getenv("SMB_PASSWORD")) return 2;
  const char *what = argv[2], *url = argv[3];
  const long number = atol(argv[4]);
  SMBCCTX* context = smbc_new_context();
  if (!context) fail("context");
  smbc_setFunctionAuthData(context, log_on);
  smbc_setOptionNoAutoAnonymousLogin(context, 1);
  smbc_setTimeout(context, 120000);
  if (strcmp(argv[1], "seal") == 0) smbc_setOptionSmbEncryptionLevel(context, SMBC_ENCRYPTLEVEL_REQUIRE);
  if (!smbc_init_context(context)) fail("context");
  smbc_set_context(context);
  // The connection and the folder are no part of what is measured.
  struct stat there;
  if (strcmp(what, "create") == 0 ? smbc_mkdir(url, 0755) != 0 : smbc_stat(url, &there) != 0) fail(url);
  const double begin = seconds();
  if (strcmp(what, "create") == 0)
    create(url, number);
  else if (strcmp(what, "remove") == 0)
    remove_all(url, number);
  else if (strcmp(what, "list") == 0)
    list(url, number);
  else
    read_at_random(url, number);
  printf("%ld %.6f\n", number, seconds() - begin);
  return 0;
}
