"""A second opinion on the format, in 90 lines of Python: opens a YAML vector with `age`, decrypts every leaf and
recomputes the MAC, knowing nothing of sops. Usage: check.py FILE IDENTITY [show]. Not covered: comment selections, Shamir, other formats.
Needs PyYAML, cryptography and `age` in PATH."""
import sys, re, base64, hashlib, subprocess, json, os, math, datetime
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
ENC=re.compile(r'^ENC\[AES256_GCM,data:(.+),iv:(.+),tag:(.+),type:(.+)\]')
PREFIX=bytes.fromhex('8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69')
def unwrap(enc, keyfile):
    return subprocess.run(['age','-d','-i',keyfile],input=enc.encode(),capture_output=True,check=True).stdout
def dec(s,key,aad):
    m=ENC.match(s)
    d,iv,tag=[base64.b64decode(x) for x in m.groups()[:3]]
    return AESGCM(key).decrypt(iv,d+tag,aad.encode()), m.group(4), len(iv)
def gofloat(x):
    if math.isnan(x): return 'NaN'
    if math.isinf(x): return '+Inf' if x>0 else '-Inf'
    from decimal import Decimal
    s=format(Decimal(repr(x)),'f')
    if '.' in s: s=s.rstrip('0').rstrip('.')
    return s
class L(yaml.SafeLoader): pass
def scalar_bytes(node):
    """bytes an unencrypted YAML scalar gives to the MAC (enough for the fixtures)"""
    v=L('').construct_object(node) if False else None
    tag=node.tag
    if node.style is None and re.fullmatch(r'[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?',node.value) and not re.fullmatch(r'[-+]?[0-9]+',node.value):
        f=float(node.value)
        if not math.isinf(f): return gofloat(f).encode()
        return node.value.encode()
    if tag.endswith(':null'): return None
    if tag.endswith(':bool'): return b'True' if node.value.lower() in('true','yes','on') else b'False'
    if tag.endswith(':int'): return str(int(node.value.replace('_',''),0)).encode()
    if tag.endswith(':float'): return gofloat(float(node.value.replace('.nan','nan').replace('.inf','inf'))).encode()
    if tag.endswith(':binary'): return base64.b64decode(node.value)
    if tag.endswith(':timestamp'):
        v=node.value
        if re.fullmatch(r'\d{4}-\d\d-\d\d',v): v+='T00:00:00Z'
        return v.encode()
    return node.value.encode()
def selected(meta,path):
    g=meta.get
    enc=True
    keys=['unencrypted_suffix','encrypted_suffix','unencrypted_regex','encrypted_regex','unencrypted_comment_regex','encrypted_comment_regex']
    if not any(g(k) for k in keys): meta=dict(meta,unencrypted_suffix='_unencrypted'); g=meta.get
    if g('unencrypted_suffix') and any(p.endswith(g('unencrypted_suffix')) for p in path): enc=False
    if g('encrypted_suffix'): enc=any(p.endswith(g('encrypted_suffix')) for p in path)
    if g('unencrypted_regex') and any(re.search(g('unencrypted_regex'),p) for p in path): enc=False
    if g('encrypted_regex'): enc=any(re.search(g('encrypted_regex'),p) for p in path)
    return enc
def main(f,keyfile,show=False,datakey=None):
    docs=list(yaml.compose_all(open(f)))
    meta=None
    d0=docs[0]
    for k,v in d0.value:
        if k.value=='sops': meta=yaml.safe_load(yaml.serialize(v)) ; lm=[x[1].value for x in v.value if x[0].value=='lastmodified'][0]
    if datakey: key=bytes.fromhex(datakey)
    else: key=unwrap(meta['age'][0]['enc'],keyfile)
    h=hashlib.sha512()
    only=meta.get('mac_only_encrypted')
    if only: h.update(PREFIX)
    n=0
    def walk(node,path):
        nonlocal n
        if isinstance(node,yaml.MappingNode):
            for k,v in node.value:
                if path==[] and k.value=='sops': continue
                walk(v,path+[k.value])
        elif isinstance(node,yaml.SequenceNode):
            for v in node.value: walk(v,path)
        else:
            aad=':'.join(path)+':'
            if node.tag.endswith(':str') and ENC.match(node.value):
                p,t,ivl=dec(node.value,key,aad); n+=1
                assert ivl==32
                if show: print(aad,t,p)
                if t!='comment': h.update(p)
            else:
                b=scalar_bytes(node)
                sel=selected(meta,path)
                if sel: assert b in(None,b''),(path,b)
                if b is not None and (not only or sel): h.update(b)
    for d in docs: walk(d,[])
    mac,t,_=dec(meta['mac'],key,lm)
    ok=mac.decode()==h.hexdigest().upper()
    print(f, 'datakey',key.hex(),'values',n,'MAC',t,'OK' if ok else 'MISMATCH '+mac.decode()[:16]+' '+h.hexdigest().upper()[:16])
    # comments at column>=0
    if show:
        for line in open(f):
            m=re.search(r'#(ENC\[AES256_GCM.*\])',line)
            if m: 
                try: print('comment aad ":" ->',dec(m.group(1),key,':')[0])
                except Exception as e: print('comment not at ":"',line[:30].strip())
    return ok
if __name__=='__main__':
    main(sys.argv[1],sys.argv[2],len(sys.argv)>3)
