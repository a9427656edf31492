# busybox's shell and tools; every line that is compared begins with "=> ".
cd /tmp && mkdir tools && cd tools
show() { sed "s|^|=> $1: |"; }

printf 'pear\napple\nfig\napple\n' > fruit
sort fruit | show sort
sort -u fruit | wc -l | show unique
uniq -c fruit | show uniq
grep -n fig fruit | show grep
grep -c apple < fruit | show count
grep nothing fruit; echo $? | show "no match"
sed -n '2,3p' fruit | show sed
sed 's/p*e/E/;y/fig/FIG/' fruit | show substitute
awk '{ n[$1]++ } END { for (k in n) print k, n[k] }' fruit | sort | show awk
awk 'BEGIN { for (i = 1; i < 6; i++) s = s " " i*i; print s }' | show squares
cut -c2-3 fruit | show cut
tr a-z A-Z < fruit | show tr
head -n 2 fruit | tail -n 1 | show "head and tail"
tee copy < fruit > /dev/null; cmp fruit copy && echo same | show cmp
echo extra >> copy; diff fruit copy | show diff
od -c copy | head -n 2 | show od
md5sum fruit | show md5sum
sha256sum fruit | show sha256sum
seq 1 20 | xargs -n 7 echo | show xargs
expr 6 '*' 7 | show expr
basename /a/b/c.txt .txt | show basename
dirname /a/b/c.txt | show dirname
printf '%05d|%x|%s\n' 42 255 text | show printf
dd if=/dev/zero of=zeroes bs=1000 count=37 2>/dev/null; wc -c zeroes | show dd
ls -1 | show ls
ls -l fruit | cut -c1-10 | show modes
chmod 750 fruit; ls -l fruit | cut -c1-10 | show chmod
ln -s fruit link; readlink link | show readlink
ln fruit hard; stat -c '%h %s %F' hard | show stat
mkdir -p a/b/c && touch a/b/c/file && find a | sort | show find
cp -r a other && find other -type f | show "cp -r"
mv other moved && ls moved | show mv
tar cf a.tar a && tar tf a.tar | show tar
mkdir unpacked && tar xf a.tar -C unpacked && find unpacked -type f | show untar
gzip -c fruit | gunzip -c | cmp - fruit && echo same | show gzip
rm -r a moved unpacked; ls -d a moved unpacked 2>&1 | wc -l | show "rm -r"
echo $((1 + 2 * 3 % 4 << 2)) | show arithmetic
x=hello; echo ${x#he} ${x%lo} ${#x} ${y:-none} | show parameters
case $x in h*o) echo matched;; *) echo not;; esac | show case
for i in 1 2 3; do [ $i -eq 2 ] && continue; echo $i; done | show loop
i=0; while [ $i -lt 100 ]; do i=$((i + 1)); done; echo $i | show while
f() { local x=$1; [ $x -le 1 ] && echo 1 && return; echo $((x * $(f $((x - 1))))); }; f 7 | show recursion
cat << END | show "here document"
$x and \$x
END
(exit 3); echo $? | show status
true && false || echo or | show "and or"
sh -c 'kill -TERM $$'; echo $? | show "killed by TERM"
sh -c 'trap "echo trapped" TERM; kill -TERM $$; echo after' | show trap
sh -c 'trap "echo at exit" EXIT; exit 4' | show "exit trap"
(sleep 0.1; echo slow) & echo fast | show background; wait; echo waited | show wait
sleep 10 & kill $!; wait $!; echo $? | show "killed in the background"
sleep 0.05 & sleep 0.05 & wait; jobs | wc -l | show jobs
timeout 0.2 sleep 5; echo $? | show timeout
echo text | (read a; echo "[$a]") | show read
yes | head -n 1000 | wc -l | show yes
cat fruit - < copy | wc -l | show "cat -"
test -e fruit -a ! -d fruit && echo file | show test
date -u -d @86400 +%Y-%m-%d | show date
env -i A=1 env | show env
which sh | show which
id -u | show id
nproc | show nproc
uname -s -m | show uname
pwd | show pwd
echo "no such" > /nowhere/file 2>&1; echo $? | show "no such directory"
ls /nowhere 2>&1 | show "no such file"
cd / && rm -r /tmp/tools
