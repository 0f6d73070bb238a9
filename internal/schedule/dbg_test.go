package schedule
import ("testing";"archive/zip";"io";"time")
func TestDbg(t *testing.T){
 a,_:=zip.OpenReader("/usr/local/go/lib/time/zoneinfo.zip")
 wrongStart,wrongEnd,wrongConst:=0,0,0
 for _,f:=range a.File{ rc,_:=f.Open(); b,_:=io.ReadAll(rc); loc,err:=time.LoadLocationFromTZData(f.Name,b); if err!=nil{continue}
  for sec:=int64(0);sec<2240524800+400*86400;sec+=86400/2 {
   tt:=time.Unix(sec,0).In(loc); st,en:=tt.ZoneBounds()
   _,off:=tt.Zone()
   if !st.IsZero() { if _,o:=st.Zone();o!=off {wrongStart++; if wrongStart<20 {t.Log("start",f.Name,tt,st)}} }
   if !en.IsZero() { if !en.After(tt) {wrongEnd++; if wrongEnd<5 {t.Log("end",f.Name,tt,en)}} else if _,o:=en.Add(-1).Zone();o!=off {t.Log("end offset",f.Name,tt,en)} }
   _=wrongConst
  }
 }
 t.Log(wrongStart,wrongEnd)
}
